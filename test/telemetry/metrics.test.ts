import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '@callmesh/local';
import { describe, expect, it } from 'vitest';
import { documented } from './registry.ts';

/** Instruments as sources name them; what else is called callmesh_ there is a channel variable. */
const CREATED =
  /(?:create(?:Observable)?(?:Counter|Gauge|Histogram)|gauge|observe|histogram|each)\(\s*(?:meter,\s*)?'([a-z][a-z_0-9.]+)'/g;

const sources = globSync('services/*/src/**/*.ts', { cwd: ROOT }).filter(
  (file) => !file.endsWith('.test.ts'),
);
const declared = new Set(
  sources.flatMap((file) =>
    [...readFileSync(join(ROOT, file), 'utf8').matchAll(CREATED)].map(([, name]) =>
      name!.replaceAll('.', '_'),
    ),
  ),
);
const doors = readFileSync(join(ROOT, 'kamailio/params/metrics.cfg'), 'utf8');
for (const [, name] of doors.matchAll(/"prom_counter", "name=(\w+);/g))
  declared.add(`kamailio_${name!.replace(/_total$/, '')}`);

describe('docs/metrics.md', () => {
  const registry = [...documented()].filter(([name]) => name !== 'target_info');
  const names = new Set(
    registry.map(([name, { type }]) => (type === 'counter' ? name.replace(/_total$/, '') : name)),
  );

  it('has every metric that a service or a door declares', () => {
    expect([...declared].filter((name) => !names.has(name))).toEqual([]);
  });

  it('has no metric that nobody declares', () => {
    expect([...names].filter((name) => !declared.has(name))).toEqual([]);
  });

  it('has no label that is of one call, number or agent', () => {
    for (const [, { labels }] of registry)
      for (const label of labels)
        expect(label).not.toMatch(/call_?id|session|number|agent|uri|aor|contact|leg/);
  });
});
