import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './src/paths.ts';
import { installSystem } from './src/system.ts';

const PROFILES = join(ROOT, '.state', 'profiles');
const args = process.argv.slice(2);
const profile = args.includes('--profile');

await installSystem((line) => console.error(line), { tests: true });
if (profile) mkdirSync(PROFILES, { recursive: true });
// The options reach every Node process that is started for it: those of services, too.
const options = profile ? `--cpu-prof --cpu-prof-dir=${PROFILES}` : (process.env.NODE_OPTIONS ?? '');
const child = spawn(
  process.execPath,
  ['--disable-warning=ExperimentalWarning', '--expose-gc', join(ROOT, 'test/bench/main.ts'), ...args],
  { stdio: 'inherit', env: { ...process.env, NODE_OPTIONS: options } },
);
// What it has started ends with it (pdeathsig); wait for that whatever the terminal sends.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)));
