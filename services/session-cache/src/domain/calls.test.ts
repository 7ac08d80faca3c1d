import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  A,
  B,
  C,
  legEvent,
  type Member,
  member,
  proposal,
  settled,
  UNCONFIRMED_MS,
  until,
} from '../../test/replicas.ts';
import { MemoryBucket } from '../adapters/memory-kv.ts';
import type { Session } from './session.ts';

async function bound(more: Partial<Session> = {}) {
  const bucket = new MemoryBucket();
  const [one, two] = [member(bucket.connect()), member(bucket.connect())];
  await settled(one, two);
  const session = (await one.sessions.bind(proposal('call', A, more), [])).entry.value;
  await settled(one, two);
  const now = () => one.sessions.index.get(session.sessionId)?.value;
  return { bucket, one, two, session, now };
}
const kinds = (deeds: { event: string }[]) => deeds.map(({ event }) => event);

describe('a created leg', () => {
  it('confirms the binding', async () => {
    const { one, session, now } = await bound();
    await one.calls.handle(legEvent('created', session, 'leg'));
    expect(now()).toMatchObject({ confirmed: true, nodeId: 'fs-a' });
    expect(kinds(one.deeds)).toEqual(['bound']);
  });

  it('re-points the binding to the node that took the call', async () => {
    const { one, session, now } = await bound();
    await one.calls.handle(legEvent('created', session, 'leg', B));
    expect(now()).toMatchObject({ confirmed: true, nodeId: 'fs-b', nodeEpoch: 'b1' });
    expect(one.deeds.at(-1)).toMatchObject({ event: 'moved', from: A });
  });

  it('re-points it although the first node had begun: the edge went on to its next target', async () => {
    const { one, session, now } = await bound();
    await one.calls.handle(legEvent('created', session, 'leg-a', A));
    await one.calls.handle(legEvent('created', session, 'leg-b', B));
    expect(now()?.nodeId).toBe('fs-b');
    await one.calls.handle(legEvent('hangup', session, 'leg-a', A));
    expect(now()?.nodeId).toBe('fs-b');
  });

  it('survives the refusal of the first node told before the second took it', async () => {
    const { one, two, session } = await bound({ affinityKey: 'room' });
    await one.calls.handle(legEvent('created', session, 'leg-a', A));
    await one.calls.handle(legEvent('hangup', session, 'leg-a', A));
    await settled(one, two);
    await two.calls.handle(legEvent('created', session, 'leg-b', B));
    await settled(one, two);
    expect(one.sessions.index.get(session.sessionId)?.value).toMatchObject({
      nodeId: 'fs-b',
      trunkId: 'acme-pbx',
    });
    const next = await one.sessions.bind(proposal('next', C, { affinityKey: 'room' }), []);
    expect(next.entry.value.nodeId).toBe('fs-b');
  });

  it('of another role or another tenant changes nothing', async () => {
    const { one, session, now } = await bound();
    await one.calls.handle(legEvent('created', session, 'leg', B, { role: 'NODE_ROLE_ROUTER' }));
    await one.calls.handle(legEvent('created', session, 'leg', B, { tenantId: 'globex' }));
    await one.calls.handle(legEvent('hangup', session, 'leg', A, { tenantId: 'globex' }));
    expect(now()).toMatchObject({ confirmed: false, nodeId: 'fs-a' });
  });

  it('with hostile fields is nobody’s', async () => {
    const { bucket, one, session } = await bound();
    const last = bucket.position().last;
    for (const wrong of [
      { sessionId: 'x' },
      { sessionId: 'ffffffffffffffff', tenantId: 'a.>\r\nPUB x' },
      { sessionId: 'ffffffffffffffff', callId: 'x'.repeat(257) },
      { nodeId: '' },
      { legUuid: 'x'.repeat(1000) },
      { role: 'UNRECOGNIZED' as const },
    ])
      await one.calls.handle(legEvent('created', session, 'leg', A, wrong));
    expect(bucket.position().last).toBe(last);
  });

  it('makes a binding when the call was routed without one', async () => {
    const { one, two } = await bound();
    const session = proposal('fallback', B);
    await Promise.all([
      one.calls.handle(legEvent('created', session, 'leg')),
      two.calls.handle(legEvent('created', session, 'leg')),
    ]);
    await settled(one, two);
    expect(one.sessions.index.get(session.sessionId)?.value).toMatchObject({
      nodeId: 'fs-b',
      confirmed: true,
      legs: [{ uuid: 'leg' }],
    });
  });

  it('made without a bind learns the rest from the bind that comes late', async () => {
    const { one } = await bound();
    const late = proposal('fallback', A, { affinityKey: 'room' });
    await one.calls.handle(legEvent('created', late, 'leg', B));
    const { entry, created } = await one.sessions.bind(late, []);
    expect(created).toBe(true);
    expect(entry.value).toMatchObject({
      nodeId: 'fs-b',
      confirmed: true,
      trunkId: 'acme-pbx',
      groupId: 'media-a',
    });
    const next = await one.sessions.bind(proposal('next', C, { affinityKey: 'room' }), []);
    expect(next.entry.value.nodeId).toBe('fs-b');
    await one.calls.handle(legEvent('hangup', late, 'leg', B));
    expect(one.sessions.index.get(late.sessionId)).toBeUndefined();
  });

  it('makes none from a callee leg, nor from old news', async () => {
    const { one } = await bound();
    const old = { at: new Date(0) };
    await one.calls.handle(legEvent('created', proposal('b-leg'), 'leg', A, { outbound: true }));
    one.clock.now = 10_000_000;
    await one.calls.handle(legEvent('created', proposal('old'), 'leg', A, old));
    expect(one.sessions.index.size).toBe(1);
  });
});

describe('a hangup', () => {
  it('of the last leg releases', async () => {
    const { bucket, one, session } = await bound({ affinityKey: 'room' });
    await one.calls.handle(legEvent('created', session, 'leg'));
    await one.calls.handle(legEvent('hangup', session, 'leg'));
    expect(kinds(one.deeds)).toEqual(['bound', 'released']);
    await until(() => bucket.keys().length === 0);
  });

  it('leaves the session to the legs that remain after a transfer', async () => {
    const { one, session, now } = await bound();
    for (const leg of ['caller', 'agent-1']) await one.calls.handle(legEvent('created', session, leg));
    await one.calls.handle(legEvent('created', session, 'agent-2'));
    await one.calls.handle(legEvent('hangup', session, 'agent-1'));
    await one.calls.handle(legEvent('hangup', session, 'caller'));
    expect(now()?.legs.map(({ uuid }) => uuid)).toEqual(['agent-2']);
    await one.calls.handle(legEvent('hangup', session, 'agent-2'));
    expect(now()).toBeUndefined();
  });

  it('counts through a restart of every session-cache', async () => {
    const { bucket, one, session } = await bound();
    for (const leg of ['caller', 'agent']) await one.calls.handle(legEvent('created', session, leg));
    const fresh = member(bucket.connect());
    await settled(fresh);
    await fresh.calls.handle(legEvent('hangup', session, 'caller'));
    expect(fresh.sessions.index.size).toBe(1);
    await fresh.calls.handle(legEvent('hangup', session, 'agent'));
    expect(fresh.sessions.index.size).toBe(0);
  });

  it('told twice, or followed by its own late creation, ends and leaks nothing', async () => {
    const { one, two, session } = await bound();
    await one.calls.handle(legEvent('created', session, 'caller'));
    await one.calls.handle(legEvent('created', session, 'agent'));
    await one.calls.handle(legEvent('hangup', session, 'agent'));
    await settled(one, two);
    await two.calls.handle(legEvent('created', session, 'agent'));
    await two.calls.handle(legEvent('hangup', session, 'agent'));
    expect(two.sessions.index.size).toBe(1);
    await two.calls.handle(legEvent('hangup', session, 'caller'));
    await settled(one, two);
    for (const { calls, sessions } of [one, two]) {
      await calls.handle(legEvent('created', session, 'caller'));
      await calls.handle(legEvent('hangup', session, 'caller'));
      expect(sessions.index.size).toBe(0);
    }
  });

  it('that overtook its creation ends the session by the sweep', async () => {
    const { one, session, now } = await bound();
    await one.calls.handle(legEvent('hangup', session, 'leg'));
    await one.calls.handle(legEvent('created', session, 'leg'));
    await one.sweep.run();
    expect(now()).toBeDefined();
    one.clock.now += 5_001;
    await one.sweep.run();
    expect(now()).toBeUndefined();
  });

  it('is delivered again while the store is silent', async () => {
    const { one, session } = await bound();
    one.store.disconnect();
    await expect(one.calls.handle(legEvent('created', session, 'leg'))).rejects.toMatchObject({
      code: 'unavailable',
    });
  });
});

describe('the sweep', () => {
  const later = async (who: Member, ms: number) => {
    await who.sweep.run();
    who.clock.now += ms;
    return who.sweep.run();
  };

  it('drops what no node confirmed in time, and tells once', async () => {
    const { one, two } = await bound();
    expect(await later(one, UNCONFIRMED_MS - 1)).toBe(0);
    expect(await later(one, 1)).toBe(1);
    await settled(two);
    expect(await later(two, UNCONFIRMED_MS)).toBe(0);
    expect(kinds([...one.deeds, ...two.deeds])).toEqual(['bound', 'released']);
  });

  it('keeps a binding that another replica saw confirmed', async () => {
    const { one, two, session, now } = await bound();
    await two.calls.handle(legEvent('created', session, 'leg'));
    await later(one, UNCONFIRMED_MS * 2);
    expect(now()).toBeDefined();
  });

  it('drops nothing because the store was silent: confirmations get their time afterwards', async () => {
    const { one, now } = await bound();
    one.store.disconnect();
    await later(one, UNCONFIRMED_MS * 10);
    one.store.reconnect();
    await settled(one);
    expect(await later(one, UNCONFIRMED_MS - 1)).toBe(0);
    expect(now()).toBeDefined();
    expect(await later(one, 1)).toBe(1);
  });

  it('frees an affinity whose holder never came to be', async () => {
    const { bucket, one } = await bound();
    await one.sessions.affinities.join(proposal('lost', A, { affinityKey: 'room' }), []);
    await later(one, UNCONFIRMED_MS - 1);
    expect(bucket.keys().filter((key) => key.startsWith('a.'))).toHaveLength(1);
    await later(one, 1);
    expect(bucket.keys().filter((key) => key.startsWith('a.'))).toHaveLength(0);
  });
});

describe('events of one session', () => {
  const legs = ['l1', 'l2', 'l3'];
  const events = legs.flatMap((leg) => [`created ${leg}`, `hangup ${leg}`]);
  const outcome = async (order: string[], replicas: boolean[], open: boolean) => {
    const { one, two, session } = await bound();
    for (const [index, step] of order.entries()) {
      const [event, leg] = step.split(' ') as [string, string];
      if (open && step === 'hangup l3') continue;
      const who = replicas[index % replicas.length] ? one : two;
      await who.calls.handle(legEvent(event, session, leg));
    }
    await settled(one, two);
    await one.sweep.run();
    one.clock.now += UNCONFIRMED_MS;
    await one.sweep.run();
    expect(one.sessions.index.size).toBe(open ? 1 : 0);
  };
  const replicas = fc.array(fc.boolean(), { minLength: 1, maxLength: 8 });

  it('in any order and twice leave a session exactly while a leg lives', async () => {
    const shuffled = fc.shuffledSubarray([...events, ...events], { minLength: events.length * 2 });
    await fc.assert(
      fc.asyncProperty(shuffled, fc.boolean(), fc.boolean(), (order, who, open) =>
        outcome(order, [who], open),
      ),
      { numRuns: 400 },
    );
  });

  it('shared by two replicas do the same, each leg beginning before it ends, all told again', async () => {
    const shuffled = fc
      .shuffledSubarray([...legs, ...legs], { minLength: legs.length * 2 })
      .map((order) =>
        order.map((leg, index) => `${order.indexOf(leg) === index ? 'created' : 'hangup'} ${leg}`),
      )
      .chain((once) => fc.shuffledSubarray(once).map((again) => [...once, ...again]));
    await fc.assert(fc.asyncProperty(shuffled, replicas, fc.boolean(), outcome), { numRuns: 400 });
  });
});
