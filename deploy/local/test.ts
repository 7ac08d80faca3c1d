import { startVitest } from 'vitest/node';
import { ROOT } from './src/paths.ts';
import { installSystem } from './src/system.ts';

const counts = { passed: 0, failed: 0, skipped: 0 };
const skipped: string[] = [];

await installSystem((line) => console.log(line), { tests: true });
const vitest = await startVitest('test', process.argv.slice(2), {
  root: ROOT,
  run: true,
  watch: false,
  reporters: ['default'],
});
let unhandled = vitest.state.getUnhandledErrors().length;
for (const module of vitest.state.getTestModules()) {
  if (module.errors().length > 0) unhandled += module.errors().length;
  for (const test of module.children.allTests()) {
    const { state } = test.result();
    if (state !== 'pending') counts[state] += 1;
    // A test that is skipped says why in its name.
    if (state === 'skipped') skipped.push(`${test.name} (${module.relativeModuleId})`);
  }
}
await vitest.close();
for (const name of skipped) console.log(name);
console.log(`${counts.passed} passed, ${counts.failed + unhandled} failed, ${counts.skipped} skipped`);
process.exit(counts.failed + unhandled === 0 && counts.passed > 0 ? 0 : 1);
