import { NodeRole } from '@callmesh/proto/node';
import { describe, expect, it } from 'vitest';
import { A, B, C, legEvent, member, proposal, settled, until } from '../../test/replicas.ts';
import { MemoryBucket } from '../adapters/memory-kv.ts';

async function pair() {
  const bucket = new MemoryBucket();
  const [one, two] = [member(bucket.connect()), member(bucket.connect())];
  await settled(one, two);
  return { bucket, one, two };
}
const kinds = (deeds: { event: string }[]) => deeds.map(({ event }) => event);

describe('bind', () => {
  it('takes the first proposal and gives it to everybody after', async () => {
    const { one, two } = await pair();
    const first = await one.sessions.bind(proposal('call', A), []);
    const second = await two.sessions.bind(proposal('call', B), []);
    expect(first.created).toBe(true);
    expect(second).toMatchObject({
      created: false,
      entry: { value: { nodeId: 'fs-a', sessionId: first.entry.value.sessionId } },
    });
    expect(kinds(one.deeds)).toEqual(['bound']);
    expect(kinds(two.deeds)).toEqual([]);
  });

  it('gives two callers with different nodes at the same moment the same answer', async () => {
    const { one, two } = await pair();
    const both = await Promise.all([
      one.sessions.bind(proposal('call', A), []),
      two.sessions.bind(proposal('call', B), []),
    ]);
    expect(both[0]!.entry.value).toEqual(both[1]!.entry.value);
    expect(both.filter(({ created }) => created)).toHaveLength(1);
  });

  it('costs one write when there is no affinity key', async () => {
    const { bucket, one } = await pair();
    await one.sessions.bind(proposal('call'), []);
    expect(bucket.position().last).toBe(1);
  });

  it('takes a repeated proposal for the one it was', async () => {
    const { one, two } = await pair();
    const again = proposal('call');
    await one.sessions.bind(again, []);
    await expect(two.sessions.bind(again, [])).resolves.toMatchObject({ created: true });
    expect(kinds([...one.deeds, ...two.deeds])).toEqual(['bound']);
  });

  it('keeps tenants apart that use the same Call-ID and affinity key', async () => {
    const { one } = await pair();
    const acme = proposal('call', A, { affinityKey: 'room' });
    const globex = proposal('call', B, { tenantId: 'globex', affinityKey: 'room' });
    await one.sessions.bind(acme, []);
    const other = await one.sessions.bind(globex, []);
    expect(other).toMatchObject({ created: true, entry: { value: { nodeId: 'fs-b' } } });
    const request = { tenantId: 'globex', role: NodeRole.NODE_ROLE_MEDIA };
    const found = await one.sessions.get({ ...request, key: { $case: 'callId', value: 'call' } });
    expect(found.value.tenantId).toBe('globex');
    const key = { $case: 'sessionId' as const, value: acme.sessionId };
    await expect(one.sessions.get({ ...request, key })).rejects.toMatchObject({ code: 'not_found' });
  });

  it('binds one Call-ID once per role', async () => {
    const { one } = await pair();
    await one.sessions.bind(proposal('call', A), []);
    const router = await one.sessions.bind(proposal('call', C, { role: NodeRole.NODE_ROLE_ROUTER }), []);
    expect(router.created).toBe(true);
  });

  it('refuses a session id that another Call-ID has', async () => {
    const { one } = await pair();
    const { sessionId } = proposal('x');
    await one.sessions.bind(proposal('call', A, { sessionId }), []);
    await expect(one.sessions.bind(proposal('other', A, { sessionId }), [])).rejects.toMatchObject({
      code: 'already_exists',
      field: 'binding.session_id',
    });
  });

  it('replaces a binding whose node life is over, once', async () => {
    const { one, two } = await pair();
    const dead = await one.sessions.bind(proposal('call', A), []);
    await settled(one, two);
    const both = await Promise.all([
      one.sessions.bind(proposal('call', B), [A]),
      two.sessions.bind(proposal('call', C), [A]),
    ]);
    expect(both[0]!.entry.value).toEqual(both[1]!.entry.value);
    expect(both.filter(({ created }) => created)).toHaveLength(1);
    expect(kinds([...one.deeds, ...two.deeds]).sort()).toEqual(['bound', 'bound', 'released']);
    await settled(one, two);
    expect(two.sessions.index.get(dead.entry.value.sessionId)).toBeUndefined();
  });

  it('answers what it knows while the store is silent, and refuses the rest at once', async () => {
    const { one, two } = await pair();
    await one.sessions.bind(proposal('call', A), []);
    await settled(two);
    two.store.disconnect();
    await expect(two.sessions.bind(proposal('call', B), [])).resolves.toMatchObject({
      entry: { value: { nodeId: 'fs-a' } },
    });
    await expect(two.sessions.bind(proposal('new', B), [])).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('keeps no more sessions than it may', async () => {
    const one = member(new MemoryBucket().connect(), 2);
    await one.sessions.bind(proposal('1'), []);
    await one.sessions.bind(proposal('2'), []);
    await expect(one.sessions.bind(proposal('3'), [])).rejects.toMatchObject({ code: 'unavailable' });
    await expect(one.sessions.bind(proposal('2'), [])).resolves.toMatchObject({ created: false });
  });
});

describe('affinity', () => {
  const inRoom = (callId: string, life = A) => proposal(callId, life, { affinityKey: 'room' });

  it('sends everybody who shares a key to one node', async () => {
    const { one, two } = await pair();
    const all = await Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        (n % 2 ? one : two).sessions.bind(inRoom(`call-${n}`, [A, B, C][n % 3]), []),
      ),
    );
    expect(new Set(all.map(({ entry }) => entry.value.nodeId)).size).toBe(1);
    expect(all.every(({ created }) => created)).toBe(true);
  });

  it('lives while a session holds it and no longer', async () => {
    const { bucket, one, two } = await pair();
    const first = await one.sessions.bind(inRoom('1', A), []);
    const second = await two.sessions.bind(inRoom('2', B), []);
    expect(second.entry.value.nodeId).toBe('fs-a');
    await one.sessions.release(first.entry.value.sessionId);
    expect((await two.sessions.bind(inRoom('3', B), [])).entry.value.nodeId).toBe('fs-a');
    for (const callId of ['2', '3'])
      await two.sessions.release((await two.sessions.bind(inRoom(callId), [])).entry.value.sessionId);
    await until(() => bucket.keys().length === 0);
    expect((await one.sessions.bind(inRoom('4', B), [])).entry.value.nodeId).toBe('fs-b');
  });

  it('never strands a bind that meets the last release', async () => {
    for (let round = 0; round < 50; round++) {
      const { one, two } = await pair();
      const last = await one.sessions.bind(inRoom('last', A), []);
      await settled(one, two);
      const [, joined] = await Promise.all([
        one.sessions.release(last.entry.value.sessionId),
        two.sessions.bind(inRoom('next', B), []),
      ]);
      await settled(one, two);
      const third = await one.sessions.bind(inRoom('third', C), []);
      expect(third.entry.value.nodeId).toBe(joined.entry.value.nodeId);
    }
  });

  it('leaves a node whose life is over', async () => {
    const { one, two } = await pair();
    await one.sessions.bind(inRoom('1', A), []);
    const next = await two.sessions.bind(inRoom('2', B), [A]);
    expect(next.entry.value.nodeId).toBe('fs-b');
    expect((await one.sessions.bind(inRoom('3', C), [A])).entry.value.nodeId).toBe('fs-b');
  });

  it('follows a moved session', async () => {
    const { one } = await pair();
    const first = await one.sessions.bind(inRoom('1', A), []);
    await one.sessions.move(first.entry.value.sessionId, A, B);
    expect((await one.sessions.bind(inRoom('2', C), [])).entry.value.nodeId).toBe('fs-b');
  });

  it('gives the hold of a losing proposal back', async () => {
    const { one, two } = await pair();
    await Promise.all([one.sessions.bind(inRoom('1', A), []), two.sessions.bind(inRoom('1', B), [])]);
    await until(async () => {
      await settled(one, two);
      return [...one.sessions.index.affinities.values()][0]?.holders.length === 1;
    });
  });
});

describe('move', () => {
  it('is done once however many claim the session', async () => {
    const { one, two } = await pair();
    const { sessionId } = (await one.sessions.bind(proposal('call', A), [])).entry.value;
    await settled(one, two);
    const claims = await Promise.allSettled([
      one.sessions.move(sessionId, A, B),
      two.sessions.move(sessionId, A, C),
      one.sessions.move(sessionId, A, C),
    ]);
    expect(claims.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const claim of claims)
      if (claim.status === 'rejected')
        expect(claim.reason).toMatchObject({ code: 'conflict', message: expect.stringMatching(/fs-[bc]/) });
    expect(kinds([...one.deeds, ...two.deeds]).sort()).toEqual(['bound', 'moved']);
  });

  it('is believed by a replica that has not heard of the move before', async () => {
    let held: (() => void)[] | undefined;
    const bucket = new MemoryBucket((what) =>
      held && what === 'feed' ? new Promise((resolve) => held?.push(resolve)) : Promise.resolve(),
    );
    const [one, two] = [member(bucket.connect()), member(bucket.connect())];
    const { sessionId } = (await one.sessions.bind(proposal('call', A, { affinityKey: 'room' }), [])).entry
      .value;
    await settled(one, two);
    held = [];
    await one.sessions.move(sessionId, A, B);
    expect(two.sessions.index.get(sessionId)?.value.nodeId).toBe('fs-a');
    await expect(two.sessions.move(sessionId, B, C)).resolves.toMatchObject({ value: { nodeId: 'fs-c' } });
    const free = held;
    held = undefined;
    for (const resolve of free) resolve();
  });

  it('takes the legs along: a hangup of the old life ends nothing, one of the new life does', async () => {
    const { one } = await pair();
    const session = (await one.sessions.bind(proposal('call', A), [])).entry.value;
    await one.calls.handle(legEvent('created', session, 'leg'));
    await one.sessions.move(session.sessionId, A, B);
    await one.calls.handle(legEvent('hangup', session, 'leg', A));
    expect(one.sessions.index.get(session.sessionId)?.value.nodeId).toBe('fs-b');
    await one.calls.handle(legEvent('hangup', session, 'leg', B));
    expect(one.sessions.index.size).toBe(0);
  });

  it('refuses what it does not know', async () => {
    const { one } = await pair();
    await expect(one.sessions.move('0'.repeat(16), A, B)).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('release', () => {
  it('of what is not there is no error', async () => {
    const { one } = await pair();
    await expect(one.sessions.release('0'.repeat(16))).resolves.toBe(false);
  });

  it('is told by one replica', async () => {
    const { one, two } = await pair();
    const { sessionId } = (await one.sessions.bind(proposal('call', A), [])).entry.value;
    await settled(one, two);
    const released = await Promise.all([one.sessions.release(sessionId), two.sessions.release(sessionId)]);
    expect(released.filter(Boolean)).toHaveLength(1);
    expect(kinds([...one.deeds, ...two.deeds]).sort()).toEqual(['bound', 'released']);
  });
});

describe('get', () => {
  it('finds what another replica has just bound', async () => {
    const { one, two } = await pair();
    const session = proposal('call', A, { affinityKey: 'room' });
    await one.sessions.bind(session, []);
    const request = { tenantId: 'acme', role: NodeRole.NODE_ROLE_MEDIA };
    for (const key of [
      { $case: 'callId', value: 'call' },
      { $case: 'sessionId', value: session.sessionId },
      { $case: 'affinityKey', value: 'room' },
    ] as const)
      await expect(two.sessions.get({ ...request, key })).resolves.toMatchObject({
        value: { sessionId: session.sessionId },
      });
  });

  it('says unavailable, not missing, while the store is silent', async () => {
    const { one } = await pair();
    one.store.disconnect();
    const key = { $case: 'callId' as const, value: 'call' };
    await expect(
      one.sessions.get({ tenantId: 'acme', role: NodeRole.NODE_ROLE_MEDIA, key }),
    ).rejects.toMatchObject({ code: 'unavailable' });
  });
});
