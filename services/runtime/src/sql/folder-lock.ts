import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fail } from '../errors.ts';

/**
 * Makes a folder this process's own and returns what gives it back. Two embedded
 * databases on one folder would destroy it. What a killed process left is taken over.
 * Errors: precondition_failed.
 */
export function lockFolder(dir: string): () => void {
  const file = join(dir, 'owner.pid');
  const owner = readOwner(file);
  if (owner !== undefined && owner !== process.pid && isAlive(owner)) {
    throw fail('precondition_failed', `${dir} is in use by process ${owner}`, { field: 'state_dir' });
  }
  rmSync(file, { force: true });
  // "wx": of two that start at once, one gets here second.
  writeFileSync(file, `${process.pid}\n`, { flag: 'wx' });
  return () => rmSync(file, { force: true });
}

function readOwner(file: string): number | undefined {
  try {
    return Number.parseInt(readFileSync(file, 'utf8'), 10) || undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
