import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Database } from '../src/adapters/database.ts';
import { type Delta, Store } from '../src/adapters/store.ts';
import { keyOf, type Put } from '../src/domain/batch.ts';
import type { KindName } from '../src/domain/kind.ts';
import { specOf } from '../src/domain/kinds/index.ts';
import { embedded } from './databases.ts';
import { put } from './samples.ts';

// A first start of an embedded database or a server takes seconds of CPU, and other tests run beside.
vi.setConfig({ hookTimeout: 120_000, testTimeout: 60_000 });

/**
 * Random changes against a model of the rules: a map of what exists, with what
 * each refers to and what only it may have.
 */
interface Item {
  readonly kind: KindName;
  readonly id: string;
  readonly needs: readonly string[];
  readonly owns: readonly string[];
  readonly version: string;
}

type Model = Map<string, Item>;

const tenants = fc.constantFrom('a', 'b');
const versions = fc.constantFrom('1', '2', '3');
const numbers = fc.constantFrom('1', '2');

/** A few rows of four kinds: few enough that changes meet. */
const items: fc.Arbitrary<{ put: Put; item: Item }> = fc.oneof(
  fc.record({ t: tenants, v: versions }).map(({ t, v }) => ({
    put: put('tenant', { id: t, domain: `${t}.example`, name: v }, 'any'),
    item: { kind: 'tenant' as const, id: t, needs: [], owns: [`domain ${t}`], version: v },
  })),
  fc.record({ t: tenants, n: numbers, v: versions }).map(({ t, n, v }) => ({
    put: put('agent', { tenant_id: t, username: `u${n}`, display_name: v }, 'any'),
    item: {
      kind: 'agent' as const,
      id: `u${n}@${t}.example`,
      needs: [keyOf('tenant', t)],
      owns: [`dial ${t} u${n}`],
      version: v,
    },
  })),
  fc.record({ t: tenants, n: numbers, address: numbers, v: versions }).map(({ t, n, address, v }) => ({
    put: put(
      'trunk',
      { id: `${t}-${n}`, tenant_id: t, source_addresses: [`10.0.0.${address}`], priority: Number(v) },
      'any',
    ),
    item: {
      kind: 'trunk' as const,
      id: `${t}-${n}`,
      needs: [keyOf('tenant', t)],
      owns: [`address ${address}`],
      version: v + address,
    },
  })),
  fc.record({ t: tenants, n: numbers, v: versions }).map(({ t, n, v }) => ({
    put: put(
      'did',
      {
        tenant_id: t,
        number: `+4912${t === 'a' ? 1 : 2}`,
        destination: `u${n}@${t}.example`,
        function: v === '1' ? 'gray' : 'general',
      },
      'any',
    ),
    item: {
      kind: 'did' as const,
      id: `+4912${t === 'a' ? 1 : 2}`,
      needs: [keyOf('tenant', t), keyOf('agent', `u${n}@${t}.example`)],
      owns: [],
      version: n + (v === '1'),
    },
  })),
);

type Step = { do: 'put'; put: Put; item: Item } | { do: 'remove'; item: Item; cascade: boolean };
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: items.map((one): Step => ({ do: 'put', ...one })) },
  {
    weight: 1,
    arbitrary: fc
      .record({ one: items, cascade: fc.boolean() })
      .map(({ one, cascade }): Step => ({ do: 'remove', item: one.item, cascade })),
  },
);

const key = ({ kind, id }: Item) => keyOf(kind, id);

/** What the model says about a step: the code it fails with, or what exists afterwards. */
function predict(model: Model, step: Step): string | Model {
  const next = new Map(model);
  if (step.do === 'put') {
    if (step.item.needs.some((need) => !model.has(need))) return 'precondition_failed';
    const others = [...model.values()].filter((other) => key(other) !== key(step.item));
    if (others.some((other) => other.owns.some((own) => step.item.owns.includes(own))))
      return 'already_exists';
    return next.set(key(step.item), step.item);
  }
  if (!model.has(key(step.item))) return 'not_found';
  const gone = [key(step.item)];
  for (const one of gone)
    for (const other of model.values())
      if (other.needs.includes(one) && !gone.includes(key(other))) gone.push(key(other));
  if (gone.length > 1 && !step.cascade) return 'precondition_failed';
  for (const one of gone) next.delete(one);
  return next;
}

function replay(state: Map<string, string>, deltas: readonly Delta[]): void {
  for (const { kind, id, row } of deltas) {
    if (row) state.set(keyOf(kind, id), JSON.stringify(sorted(row)));
    else expect(state.delete(keyOf(kind, id))).toBe(true);
  }
}
const sorted = (row: object) => Object.fromEntries(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)));

describe('random changes', () => {
  let database: Database;
  beforeAll(async () => {
    database = await embedded.open();
  });
  afterAll(() => database.close());

  it('end as a model of the rules says, and deltas replay to what a snapshot shows', async () => {
    const store = new Store(database.db, 100_000);
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { minLength: 5, maxLength: 30 }), async (list) => {
        const old = (await store.snapshot()).rows.filter(({ spec }) => spec.name === 'tenant');
        await store.apply({ puts: [], removes: old, cascade: true }, 'x');
        const { revision: start } = await store.bounds();
        let model: Model = new Map();
        for (const step of list) {
          const expected = predict(model, step);
          const spec = specOf(step.item.kind);
          const batch =
            step.do === 'put'
              ? { puts: [step.put] }
              : { puts: [], removes: [{ spec, id: step.item.id }], cascade: step.cascade };
          const code = await store.apply(batch, 'x').then(
            () => undefined,
            (error) => error.code,
          );
          expect(code).toBe(typeof expected === 'string' ? expected : undefined);
          if (typeof expected !== 'string') model = expected;
        }
        const { rows } = await store.snapshot();
        expect(rows.map(({ spec, id }) => keyOf(spec.name, id)).sort()).toEqual([...model.keys()].sort());
        const state = new Map<string, string>();
        replay(state, await store.changes(start, 10_000));
        expect(state).toEqual(
          new Map(rows.map(({ spec, id, row }) => [keyOf(spec.name, id), JSON.stringify(sorted(row))])),
        );
      }),
      { numRuns: 12 },
    );
  });
});
