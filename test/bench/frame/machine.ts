import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { ROOT } from '@callmesh/local';

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  /** Of the minute before the benchmark: a machine at other work measures that. */
  readonly loadBefore: number;
}

export function machine(): Machine {
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    loadBefore: loadavg()[0]!,
  };
}

/** Versions of Debian packages, by name; those that are not installed are left out. */
export function packageVersions(...names: readonly string[]): Record<string, string> {
  const found = (name: string): [string, string][] => {
    try {
      return [[name, execFileSync('dpkg-query', ['-W', '-f', '${Version}', name], { encoding: 'utf8' })]];
    } catch {
      return [];
    }
  };
  return Object.fromEntries(names.flatMap(found));
}

/** The commit that is measured. */
export function commit(): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], { cwd: ROOT, encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}
