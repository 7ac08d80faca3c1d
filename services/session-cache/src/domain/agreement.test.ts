import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { A, B, C, member, proposal } from '../../test/replicas.ts';
import { MemoryBucket } from '../adapters/memory-kv.ts';
import type { Session } from './session.ts';

/** What policy instances ask of three replicas at once. */
type Step =
  | { readonly what: 'bind'; readonly who: number; readonly call: number; readonly room: number }
  | { readonly what: 'release'; readonly who: number; readonly call: number };

const who = fc.integer({ min: 0, max: 2 });
const call = fc.integer({ min: 0, max: 3 });
const room = fc.integer({ min: 0, max: 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ what: fc.constant('bind' as const), who, call, room }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('release' as const), who, call }) },
);

describe('three replicas, whatever the order of what is on the wire', () => {
  it('give one answer per Call-ID to binds that nobody releases', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.array(fc.tuple(who, call), { maxLength: 12 }), async (s, binds) => {
        const bucket = new MemoryBucket(() => s.schedule(Promise.resolve()));
        const replicas = [A, B, C].map((life) => ({ ...member(bucket.connect()), life }));
        const answers = binds.map(async ([at, number]) => {
          const { sessions, life } = replicas[at]!;
          return (await sessions.bind(proposal(`call-${number}`, life), [])).entry.value;
        });
        const all = await s.waitFor(Promise.all(answers));
        for (const [index, [, number]] of binds.entries()) {
          const first = binds.findIndex(([, other]) => other === number);
          expect(all[index]!.sessionId).toBe(all[first]!.sessionId);
          expect(all[index]!.nodeId).toBe(all[first]!.nodeId);
        }
        const told = replicas.flatMap(({ deeds }) => deeds);
        expect(told).toHaveLength(new Set(binds.map(([, number]) => number)).size);
      }),
      { numRuns: 150 },
    );
  });

  it('end up with the same memory, and with one node per affinity key among the living', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.array(step, { maxLength: 16 }), async (s, steps) => {
        const bucket = new MemoryBucket(() => s.schedule(Promise.resolve()));
        const replicas = [A, B, C].map((life) => ({ ...member(bucket.connect()), life }));
        const bound = new Map<number, Session>();
        const running = steps.map(async (one) => {
          const { sessions, life } = replicas[one.who]!;
          if (one.what === 'release') return sessions.release(bound.get(one.call)?.sessionId ?? 'none');
          const wanted = proposal(`call-${one.call}`, life, { affinityKey: `room-${one.room}` });
          bound.set(one.call, (await sessions.bind(wanted, [])).entry.value);
        });
        await s.waitFor(Promise.all(running));
        await s.waitIdle();
        const [first, ...others] = replicas.map(({ replica }) => Object.fromEntries(replica.entries()));
        for (const other of others) expect(other).toEqual(first);
        expect(Object.keys(first!).sort()).toEqual(bucket.keys().sort());
        const nodes = new Map<string, string>();
        for (const { value } of replicas[0]!.sessions.index.find('', '')) {
          expect(nodes.get(value.affinityKey) ?? value.nodeId).toBe(value.nodeId);
          nodes.set(value.affinityKey, value.nodeId);
        }
        for (const { affinityKey, holders } of replicas[0]!.sessions.index.affinities.values()) {
          expect(nodes.has(affinityKey)).toBe(true);
          for (const id of holders) expect(replicas[0]!.sessions.index.get(id)).toBeDefined();
        }
      }),
      { numRuns: 150 },
    );
  });
});
