import { helmOrGo, installHelm } from '@callmesh/local';
import { beforeAll, describe, it } from 'vitest';

/** Building it takes minutes, where it is not there. */
const BUILD_MS = 600_000;

/** Rules that need helm; where there is none and no Go to build it, one that is skipped and says so. */
export function withHelm(title: string, rules: () => void): void {
  if (!helmOrGo()) {
    describe(title, () => it.skip('skipped: no helm and no go', () => {}));
    return;
  }
  describe(title, () => {
    beforeAll(() => {
      installHelm();
    }, BUILD_MS);
    rules();
  });
}
