import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MARKS, marksText } from './src/marks.ts';
import { ROOT } from './src/paths.ts';

writeFileSync(join(ROOT, MARKS), marksText());
const dashboards = spawnSync(process.execPath, [join(ROOT, 'deploy/grafana/generate.ts')], {
  stdio: 'inherit',
});
if (dashboards.status !== 0) process.exit(1);
process.exitCode = spawnSync('buf', ['generate'], { cwd: join(ROOT, 'proto'), stdio: 'inherit' }).status ?? 1;
