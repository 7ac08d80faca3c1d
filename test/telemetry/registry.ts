import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '@callmesh/local';

interface Documented {
  readonly type: string;
  readonly labels: readonly string[];
}

/** The tables of docs/metrics.md: name, type, unit, labels, meaning. */
export function documented(): Map<string, Documented> {
  const text = readFileSync(join(ROOT, 'docs/metrics.md'), 'utf8');
  const rows = text.matchAll(/^\| `(\w+)` \| (counter|gauge|histogram) \| ([^|]*)\| ([^|]*)\|/gm);
  return new Map(
    [...rows].map(([, name, type, , labels]) => [
      name!,
      { type: type!, labels: [...labels!.matchAll(/`(\w+)`/g)].map(([, label]) => label!) },
    ]),
  );
}
