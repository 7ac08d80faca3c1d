import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from './src/paths.ts';

process.exitCode = spawnSync('buf', ['generate'], { cwd: join(ROOT, 'proto'), stdio: 'inherit' }).status ?? 1;
