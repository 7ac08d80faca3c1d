import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NodeRow } from '../src/domain/node-table.ts';
import { strategies, strategyNamed } from '../src/domain/strategies/registry.ts';
import { nodeRow, seeded } from './support/rows.ts';

const KEYS = 20_000;

describe('every strategy', () => {
  it.each(strategies.map((strategy) => [strategy.name, strategy] as const))(
    '%s picks one of the nodes it was given',
    (_name, strategy) => {
      fc.assert(
        fc.property(
          fc.array(fc.nat(50), { minLength: 1, maxLength: 30 }),
          fc.string(),
          fc.nat(),
          (loads, key, seed) => {
            const nodes = loads.map((sessions, i) =>
              nodeRow(`n${i}`, { sessions, max: i % 3 === 0 ? 0 : 100, weight: 1 + (i % 7) }),
            );
            const picked = strategy.pick(nodes, { key, last: 'n3', random: seeded(seed) });
            expect(nodes).toContain(picked);
          },
        ),
      );
    },
  );
});

describe('hash', () => {
  const hash = strategyNamed('hash');
  const place = (nodes: NodeRow[], key: string) =>
    hash.pick(nodes, { key, last: undefined, random: () => 0 }).id;

  it('moves only the keys of a node that leaves, and those are about its share', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 20 }), fc.nat(), (count, leaving) => {
        const nodes = Array.from({ length: count }, (_, i) => nodeRow(`fs-media-${i}`));
        const gone = nodes[leaving % count]!.id;
        const rest = nodes.filter(({ id }) => id !== gone);
        let moved = 0;
        for (let i = 0; i < KEYS / 10; i += 1) {
          const before = place(nodes, `call-${i}`);
          const after = place(rest, `call-${i}`);
          if (before !== gone) expect(after).toBe(before);
          else moved += 1;
        }
        // A share of 1/n over 2,000 keys, with four standard deviations of room.
        const share = 1 / count;
        expect(moved / (KEYS / 10)).toBeLessThan(share + 4 * Math.sqrt((share * (1 - share)) / (KEYS / 10)));
      }),
      { numRuns: 20 },
    );
  });

  it('respects weights', () => {
    const nodes = [1, 2, 3, 4].map((weight) => nodeRow(`n${weight}`, { weight }));
    const counts = new Map<string, number>();
    for (let i = 0; i < KEYS; i += 1) {
      const id = place(nodes, `acme call-${i}@192.0.2.1`);
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    for (const { id, weight } of nodes)
      expect(Math.abs(counts.get(id)! / KEYS - weight / 10)).toBeLessThan(0.02);
  });
});

describe('weighted-random', () => {
  it('respects weights within 2 % over 100,000 draws', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 2, maxLength: 12 }),
        fc.nat(),
        (weights, seed) => {
          const nodes = weights.map((weight, i) => nodeRow(`n${String(i).padStart(2, '0')}`, { weight }));
          const random = seeded(seed);
          const total = weights.reduce((sum, weight) => sum + weight, 0);
          const counts = new Map<NodeRow, number>();
          for (let i = 0; i < 100_000; i += 1) {
            const node = strategyNamed('weighted-random').pick(nodes, { key: '', last: undefined, random });
            counts.set(node, (counts.get(node) ?? 0) + 1);
          }
          for (const node of nodes)
            expect(Math.abs((counts.get(node) ?? 0) / 100_000 - node.weight / total)).toBeLessThan(0.02);
        },
      ),
      { numRuns: 10 },
    );
  });
});

describe('lightest', () => {
  it('never picks a node when another has a lower share in use', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(99), fc.integer({ min: 100, max: 2000 })), { minLength: 1 }),
        fc.nat(),
        (loads, seed) => {
          const nodes = loads.map(([sessions, max], i) => nodeRow(`n${i}`, { sessions, max }));
          const picked = strategyNamed('lightest').pick(nodes, {
            key: '',
            last: undefined,
            random: seeded(seed),
          });
          const share = ({ load, maxSessions }: NodeRow) => load.sessions / maxSessions;
          for (const node of nodes) expect(share(picked)).toBeLessThanOrEqual(share(node));
        },
      ),
    );
  });

  it('gives each of several equals the same chance', () => {
    const nodes = Array.from({ length: 5 }, (_, i) => nodeRow(`n${i}`));
    const random = seeded(7);
    const counts = new Map<string, number>();
    for (let i = 0; i < 50_000; i += 1) {
      const { id } = strategyNamed('lightest').pick(nodes, { key: '', last: undefined, random });
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    for (const count of counts.values()) expect(Math.abs(count / 50_000 - 0.2)).toBeLessThan(0.01);
  });
});

describe('sequential', () => {
  it('gives every node one session in each round', () => {
    const nodes = Array.from({ length: 7 }, (_, i) => nodeRow(`n${i}`));
    const seen = new Set<string>();
    let last: string | undefined;
    for (let i = 0; i < nodes.length; i += 1) {
      last = strategyNamed('sequential').pick(nodes, { key: '', last, random: () => 0 }).id;
      seen.add(last);
    }
    expect(seen.size).toBe(nodes.length);
  });
});
