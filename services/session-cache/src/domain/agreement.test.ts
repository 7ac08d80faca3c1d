import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { A, B, C, member, proposal } from '../../test/replicas.ts';
import { MemoryBucket } from '../adapters/memory-kv.ts';

const who = fc.integer({ min: 0, max: 2 });
const call = fc.integer({ min: 0, max: 3 });
/** A bind at one replica and perhaps, once it is answered, a release at another. */
const step = fc.record({ who, call, room: fc.integer({ min: 0, max: 1 }), releasedBy: fc.option(who) });

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
      { numRuns: 400 },
    );
  });

  it('end up with the same memory, and with one node per affinity key among the living', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.array(step, { maxLength: 12 }), async (s, steps) => {
        const bucket = new MemoryBucket(() => s.schedule(Promise.resolve()));
        const replicas = [A, B, C].map((life) => ({ ...member(bucket.connect()), life }));
        const running = steps.map(async (one) => {
          const { sessions, life } = replicas[one.who]!;
          const wanted = proposal(`call-${one.call}`, life, { affinityKey: `room-${one.room}` });
          const { sessionId } = (await sessions.bind(wanted, [])).entry.value;
          if (one.releasedBy !== null) await replicas[one.releasedBy]!.sessions.release(sessionId);
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
      { numRuns: 400 },
    );
  });
});
