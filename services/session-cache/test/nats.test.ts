import type { NatsConnection } from '@nats-io/nats-core';
import { afterEach, describe, expect, it } from 'vitest';
import { NatsBucket } from '../src/adapters/nats-kv.ts';
import { Compaction } from '../src/domain/compaction.ts';
import { hasNats, NatsServer } from './nats-server.ts';
import { A, B, C, legEvent, type Member, member, proposal, settled, until } from './replicas.ts';

/** Most a bind may take to be refused while the store is away: a phone is ringing. */
const REFUSAL_MS = 1_500;
/** Most it takes when the store is known to be away. */
const AT_ONCE_MS = 200;

describe.skipIf(!hasNats)('replicas on a real nats-server', () => {
  let server: NatsServer;
  const open: { nc: NatsConnection; bucket: NatsBucket }[] = [];

  /** A machine that runs other tests may be slow; only what is about time has the real limit. */
  const join = async (timeoutMs = 5_000) => {
    const nc = await server.connect();
    const bucket = new NatsBucket(() => nc, { bucket: 'sessions', replicas: 1, timeoutMs });
    open.push({ nc, bucket });
    return member(bucket);
  };
  const leave = async (who: Member) => {
    const index = open.findIndex(({ bucket }) => bucket === who.store);
    const [gone] = open.splice(index, 1);
    await gone!.bucket.stop();
    await gone!.nc.close();
  };
  const begin = async (count: number, timeoutMs?: number) => {
    server = new NatsServer();
    await server.start();
    const members = await Promise.all(Array.from({ length: count }, () => join(timeoutMs)));
    await settled(...members);
    return members;
  };
  const fill = async (who: Member, count: number) => {
    const sessions = Array.from({ length: count }, (_, n) => proposal(`call-${n}`));
    await Promise.all(sessions.map((session) => who.sessions.bind(session, [])));
    return sessions;
  };
  const sizes = (members: Member[]) => members.map(({ sessions }) => sessions.index.size);

  afterEach(async () => {
    for (const { bucket, nc } of open.splice(0)) {
      await bucket.stop();
      await nc.close();
    }
    await server.kill({ wipe: true });
  });

  it('agree on every bind, whoever asks whom', async () => {
    const members = await begin(3);
    const answers = await Promise.all(
      Array.from({ length: 900 }, async (_, n) => {
        const life = [A, B, C][n % 3]!;
        const affinityKey = n % 2 ? `room-${n % 7}` : '';
        const wanted = proposal(`call-${Math.floor(n / 3)}`, life, { affinityKey });
        return { n, bound: await members[n % 3]!.sessions.bind(wanted, []) };
      }),
    );
    const first = new Map<number, string>();
    for (const { n, bound } of answers) {
      const { sessionId, nodeId } = bound.entry.value;
      const call = Math.floor(n / 3);
      expect(first.get(call) ?? `${sessionId} ${nodeId}`).toBe(`${sessionId} ${nodeId}`);
      first.set(call, `${sessionId} ${nodeId}`);
    }
    await settled(...members);
    expect(sizes(members)).toEqual([300, 300, 300]);
    expect(members.flatMap(({ deeds }) => deeds)).toHaveLength(300);
    const rooms = new Map<string, string>();
    for (const { value } of members[0]!.sessions.index.find('', '')) {
      if (value.affinityKey) expect(rooms.get(value.affinityKey) ?? value.nodeId).toBe(value.nodeId);
      if (value.affinityKey) rooms.set(value.affinityKey, value.nodeId);
    }
  });

  it('keep affinities right while sessions come and go on all of them', async () => {
    const members = await begin(3);
    for (let round = 0; round < 20; round++) {
      const life = [A, B, C];
      const bound = await Promise.all(
        life.map((one, n) =>
          members[n]!.sessions.bind(proposal(`r${round}-${n}`, one, { affinityKey: 'room' }), []),
        ),
      );
      const [one, two, three] = bound.map(({ entry }) => entry.value);
      expect(new Set([one!.nodeId, two!.nodeId, three!.nodeId]).size).toBe(1);
      // Two leave while one comes: nobody is left on another node than the rest.
      const [, , late] = await Promise.all([
        members[0]!.sessions.release(two!.sessionId),
        members[1]!.sessions.release(three!.sessionId),
        members[2]!.sessions.bind(proposal(`late-${round}`, C, { affinityKey: 'room' }), []),
      ]);
      expect(late!.entry.value.nodeId).toBe(one!.nodeId);
      const [, last] = await Promise.all([
        members[2]!.sessions.release(one!.sessionId),
        members[1]!.sessions.release(late!.entry.value.sessionId),
      ]);
      expect(last).toBe(true);
    }
    await until(async () => {
      await settled(...members);
      return members.every(({ replica }) => replica.size === 0);
    });
  });

  it('answer from memory while the server is dead, and go on when it is back', async () => {
    const members = await begin(2);
    await fill(members[0]!, 50);
    await settled(...members);
    await server.kill();
    await until(() => members.every(({ replica }) => !replica.live));
    const known = await members[1]!.sessions.bind(proposal('call-7', B), []);
    expect(known).toMatchObject({ created: false, entry: { value: { nodeId: 'fs-a' } } });
    const asked = performance.now();
    await expect(members[1]!.sessions.bind(proposal('new', B), [])).rejects.toMatchObject({
      code: 'unavailable',
    });
    expect(performance.now() - asked).toBeLessThan(AT_ONCE_MS);
    await server.start();
    await settled(...members);
    expect(sizes(members)).toEqual([50, 50]);
    await expect(members[1]!.sessions.bind(proposal('new', B), [])).resolves.toMatchObject({ created: true });
    await settled(...members);
    expect(sizes(members)).toEqual([51, 51]);
  });

  it('put everything back when the server comes back empty', async () => {
    const members = await begin(2);
    const sessions = await fill(members[0]!, 500);
    await members[0]!.calls.handle(legEvent('created', sessions[0]!, 'leg'));
    await settled(...members);
    await server.kill({ wipe: true });
    await until(() => members.every(({ replica }) => !replica.live));
    await server.start();
    await settled(...members);
    expect(sizes(members)).toEqual([500, 500]);
    const fresh = await join();
    await until(async () => {
      await settled(fresh);
      return fresh.sessions.index.size === 500;
    });
    expect(fresh.sessions.index.get(sessions[0]!.sessionId)?.value.legs).toHaveLength(1);
    await fresh.calls.handle(legEvent('hangup', sessions[0]!, 'leg'));
    await settled(...members);
    expect(sizes(members)).toEqual([499, 499]);
  });

  it('keep every binding they acknowledged while the server dies, comes back, and comes back empty', async () => {
    const members = await begin(3);
    const acknowledged: string[] = [];
    let storming = true;
    let calls = 0;
    const storm = members.map(async ({ sessions }, at) => {
      while (storming) {
        const wanted = proposal(`storm-${++calls}`, [A, B, C][at]!, {
          affinityKey: calls % 3 ? '' : `room-${at}`,
        });
        const bound = await sessions.bind(wanted, []).catch(() => undefined);
        if (bound?.created) acknowledged.push(wanted.sessionId);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    });
    for (const wipe of [false, true]) {
      const before = acknowledged.length;
      await until(() => acknowledged.length > before + 200);
      await server.kill({ wipe });
      await until(() => members.every(({ replica }) => !replica.live));
      await server.start();
      await settled(...members);
    }
    const before = acknowledged.length;
    await until(() => acknowledged.length > before + 200);
    storming = false;
    await Promise.all(storm);
    await until(async () => {
      await settled(...members);
      return members.every(({ sessions }) => acknowledged.every((id) => sessions.index.get(id)));
    });
    const [first, ...others] = members.map(({ replica }) =>
      [...replica.entries()].map(([key]) => key).sort(),
    );
    for (const other of others) expect(other).toEqual(first);
  });

  it('refuse quickly while the server is frozen, and recover when it thaws', async () => {
    const members = await begin(1, 300);
    const one = members[0]!;
    await fill(one, 5);
    await server.freeze();
    const asked = performance.now();
    await expect(one.sessions.bind(proposal('new', B), [])).rejects.toMatchObject({ code: 'unavailable' });
    expect(performance.now() - asked).toBeLessThan(REFUSAL_MS);
    const again = performance.now();
    await expect(one.sessions.bind(proposal('new-2', B), [])).rejects.toMatchObject({ code: 'unavailable' });
    expect(performance.now() - again).toBeLessThan(AT_ONCE_MS);
    await expect(one.sessions.bind(proposal('call-1', B), [])).resolves.toMatchObject({ created: false });
    server.thaw();
    await settled(one);
    const bound = await until(() => one.sessions.bind(proposal('new-3', B), []).catch(() => undefined));
    expect(bound.created).toBe(true);
  });

  it('lose nothing when all of them restart', async () => {
    const members = await begin(2);
    await fill(members[0]!, 100);
    await settled(...members);
    for (const who of members) await leave(who);
    const again = await join();
    await settled(again);
    expect(again.sessions.index.size).toBe(100);
    await expect(again.sessions.bind(proposal('call-5', B), [])).resolves.toMatchObject({ created: false });
  });

  it('let the store forget what ended, and only that', async () => {
    const members = await begin(2);
    const [one, two] = [members[0]!, members[1]!];
    const sessions = await fill(one, 60);
    await settled(...members);
    const compaction = new Compaction(two.replica, two.store, 10);
    expect(await compaction.run()).toBe(false);
    for (const { sessionId } of sessions.slice(0, 40)) await one.sessions.release(sessionId);
    await settled(...members);
    expect((await one.store.position()).count).toBe(60);
    await compaction.run();
    expect(await compaction.run()).toBe(true);
    await settled(...members);
    expect((await one.store.position()).count).toBe(21); // the newest marker stays
    expect(sizes(members)).toEqual([20, 20]);
    await expect(one.sessions.bind(proposal('call-1', B), [])).resolves.toMatchObject({ created: true });
    await expect(one.sessions.bind(proposal('call-50', B), [])).resolves.toMatchObject({ created: false });
    const fresh = await join();
    await settled(fresh);
    expect(fresh.sessions.index.size).toBe(21);
  });

  it('begin without a server and join it when it comes', async () => {
    server = new NatsServer();
    await server.start();
    const nc = await server.connect();
    await server.kill();
    const bucket = new NatsBucket(() => nc, { bucket: 'sessions', replicas: 1 });
    open.push({ nc, bucket });
    const one = member(bucket);
    await expect(one.sessions.bind(proposal('call'), [])).rejects.toMatchObject({ code: 'unavailable' });
    expect(one.replica.synced).toBe(false);
    await server.start();
    await settled(one);
    await expect(one.sessions.bind(proposal('call'), [])).resolves.toMatchObject({ created: true });
  });
});
