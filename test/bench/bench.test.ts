import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from '@callmesh/local';
import { describe, expect, it } from 'vitest';

const bench = (...args: string[]) =>
  spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', join(ROOT, 'test/bench/main.ts'), ...args],
    {
      encoding: 'utf8',
    },
  );

describe('npm run bench', () => {
  it('prints every figure of every side as JSON, with the machine, the versions and no verdict of a quick run', () => {
    const { status, stdout } = bench('skew', '--quick', '--json');
    expect(status).toBe(0);
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({
      benchmark: 'skew',
      rounds: 1,
      verdicts: [],
      machine: { cores: expect.any(Number) },
    });
    expect(report.versions).toHaveProperty('kamailio');
    const lightest = report.rows.find(
      ({ side, figure }: { side: string; figure: string }) =>
        side === 'lightest' && figure === 'fullest / mean, p99',
    );
    // Simulated time, seeded: the same on every machine.
    expect(lightest.value.median).toBeLessThan(1.02);
  });

  it('names what it has when it is asked for something else, and judges nothing by a quick run', () => {
    expect(bench('speed')).toMatchObject({ status: 1, stderr: expect.stringContaining('all, skew') });
    expect(bench('skew', '--quick', '--check')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('--quick'),
    });
  });
});
