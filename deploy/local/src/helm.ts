import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { ROOT } from './paths.ts';

/** Helm has no binary in a registry of packages: Go builds it, once. */
const PACKAGE = 'helm.sh/helm/v3/cmd/helm@v3.19.0';
const FOLDER = join(ROOT, '.cache', 'helm');
const ATTEMPTS = 3;

const onPath = (program: string) =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find((path) => existsSync(path));

/** The helm that is here: on PATH, or built before; undefined where there is none and no Go to build it. */
function helmBinary(): string | undefined {
  const built = join(FOLDER, 'helm');
  return onPath('helm') ?? (existsSync(built) ? built : undefined);
}

/** Whether `installHelm` has anything to work with. */
export function helmOrGo(): boolean {
  return helmBinary() !== undefined || onPath('go') !== undefined;
}

/** The helm that is here, built first where there is none: about two minutes. Errors: what Go said last. */
export function installHelm(): string {
  for (let attempt = 1; ; attempt++) {
    const found = helmBinary();
    if (found) return found;
    mkdirSync(FOLDER, { recursive: true });
    const env = { ...process.env, GOBIN: FOLDER, GOFLAGS: '-trimpath' };
    const { status, stderr, error } = spawnSync('go', ['install', PACKAGE], { env, encoding: 'utf8' });
    if (status !== 0 && attempt === ATTEMPTS)
      throw new Error(`helm could not be built: ${error?.message ?? stderr.slice(-2_000)}`);
  }
}
