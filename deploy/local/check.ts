import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from './src/paths.ts';

const PROTO = join(ROOT, 'proto');
const scratch = mkdtempSync(join(tmpdir(), 'callmesh-check-'));

/** The commit a proto change is compared with: the last release, or the commit before this one. */
function breakingBase(): string | undefined {
  const git = (...args: string[]) => spawnSync('git', args, { cwd: ROOT, encoding: 'utf8' });
  const tag = git('describe', '--tags', '--abbrev=0', '--match', 'v*');
  const base = tag.status === 0 ? tag.stdout.trim() : 'HEAD~1';
  return git('rev-parse', '--verify', '-q', base).status === 0 ? base : undefined;
}

const base = breakingBase();
const template = join(scratch, 'buf.gen.yaml');
writeFileSync(
  template,
  spawnSync('sed', [`s#out: gen#out: ${join(scratch, 'gen')}#`, join(PROTO, 'buf.gen.yaml')]).stdout,
);

const steps: [what: string, command: string, args: string[], cwd?: string][] = [
  ['format and lint', 'biome', ['ci', '--error-on-warnings', '.']],
  ['types', 'tsc', ['-p', '.']],
  ['proto format', 'buf', ['format', '--diff', '--exit-code', '.'], PROTO],
  ['proto lint', 'buf', ['lint'], PROTO],
  ['proto generated code is up to date', 'buf', ['generate', '--template', template], PROTO],
  ['  (compared)', 'diff', ['-r', join(scratch, 'gen'), join(PROTO, 'gen')]],
  ['dead code and unused dependencies', 'knip', ['--no-progress']],
];
if (base)
  steps.splice(4, 0, [
    'proto breaking changes',
    'buf',
    ['breaking', '--against', `${ROOT}/.git#ref=${base},subdir=proto`],
    PROTO,
  ]);

let failed = 0;
for (const [what, command, args, cwd = ROOT] of steps) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${what}`);
  if (status !== 0) {
    failed += 1;
    console.log(stdout, stderr);
  }
}
rmSync(scratch, { recursive: true });
process.exitCode = failed === 0 ? 0 : 1;
