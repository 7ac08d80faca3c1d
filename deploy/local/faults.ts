import { installSystem } from './src/system.ts';

await installSystem((line) => console.error(line), { tests: true });
await import('../../test/faults/main.ts');
