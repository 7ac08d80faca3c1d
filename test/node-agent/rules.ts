import { randomBytes } from 'node:crypto';
import { eventually, type Process } from '@callmesh/local';
import { BackendState, NodeRole } from '@callmesh/proto/node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Uac } from '../standin/uac.ts';
import { Relay } from './relay.ts';
import { Stage } from './stage.ts';

/** A FreeSWITCH, or what stands in for one, in the hands of a test. */
export interface Server {
  readonly process: Process;
  /** "127.0.0.1:port" it takes SIP at. */
  readonly sip: string;
  readonly esl: { readonly port: number; readonly password: string };
  /** Dialled, this answers and stays until the caller hangs up. */
  readonly answering: string;
  /** Makes calls to the returned number reach this address as a second leg. */
  bridge(to: string): Promise<{ number: string; undo(): Promise<void> }>;
  /** Stops or goes on taking new calls (`fsctl pause inbound`). */
  pause(paused: boolean): Promise<void>;
}

const ID = 'fs-media-1';
const TENANT = 'acme';
const UP = BackendState.BACKEND_STATE_UP;

/** What a node-agent does beside a FreeSWITCH: the same rules for the real one and the stand-in. */
export function agentRules(name: string, start: (stage: Stage) => Promise<Server>): void {
  describe(name, () => {
    let stage: Stage;
    let server: Server;
    let agent: Process;
    let uac: Uac;
    let relay: Relay;

    beforeAll(async () => {
      stage = await Stage.start();
      server = await start(stage);
      relay = await Relay.to(server.esl.port);
      agent = await stage.agent(ID, {
        node: {
          id: ID,
          role: 'media',
          group: 'media-a',
          sip_uri: `sip:${server.sip};transport=udp`,
          zone: 'z1',
          weight: 3,
          max_sessions: 50,
        },
        backend: {
          kind: 'freeswitch',
          esl: { host: '127.0.0.1', port: relay.port, password: server.esl.password },
          on_stop: 'leave',
        },
      });
      uac = await Uac.open({ user: 'pbx' });
      await stage.registered('media', ID);
    });
    afterAll(async () => {
      uac?.close();
      await stage?.stop();
      relay?.close();
    });
    afterEach(async () => {
      await stage.load(
        ID,
        ({ sessions, backend }) => sessions === 0 && backend === UP,
        'all calls are over',
        15_000,
      );
    });

    const session = () => randomBytes(8).toString('hex');
    const sessions = (count: number) =>
      stage.load(ID, (report) => report.sessions === count, `${count} sessions`);
    const dial = async (number: string, sessionId?: string) => {
      const headers = sessionId && { 'X-Callmesh-Session': sessionId, 'X-Callmesh-Tenant': TENANT };
      const call = uac.call({
        proxy: server.sip,
        to: `sip:${number}@${server.sip}`,
        ...(headers && { headers }),
      });
      expect((await call.outcome).status).toBe(200);
      return call;
    };
    const eventsOf = (sessionId: string) => stage.calls.filter((event) => event.sessionId === sessionId);

    it('registers the node with its Core-UUID as epoch, and reports it up', async () => {
      const node = await stage.registered('media', ID);
      expect(node).toMatchObject({
        id: ID,
        role: NodeRole.NODE_ROLE_MEDIA,
        group: 'media-a',
        zone: 'z1',
        weight: 3,
        maxSessions: 50,
      });
      expect(node.sipUri).toBe(`sip:${server.sip};transport=udp`);
      expect(node.epoch).toMatch(/^[0-9a-f-]{36}$/);
      expect(node.version).toMatch(/^1\./);
      const report = await stage.up(ID);
      expect(report).toMatchObject({ epoch: node.epoch, sessions: 0, maxSessions: 50 });
      expect(await stage.status(agent)).toMatchObject({
        registered: true,
        reconnects: 0,
        node: { epoch: node.epoch },
      });
    });

    it('reports a call within a quarter of a second, with the session that started', async () => {
      const id = session();
      const reported = sessions(1);
      const call = await dial(server.answering, id);
      const answeredAt = Date.now();
      await reported;
      expect(Date.now() - answeredAt).toBeLessThan(250);
      const started = stage.loads.flatMap((report) => report.startedSessions);
      expect(started.filter((one) => one === id)).toHaveLength(1);
      await call.bye();
    });

    it('tells what happened to each leg: created, answered, hangup, with tenant, session and Call-ID', async () => {
      const id = session();
      const call = await dial(server.answering, id);
      await call.bye();
      await eventually(() => eventsOf(id).some(({ event }) => event === 'hangup'), 'the hangup is told');
      const events = eventsOf(id);
      expect(stage.eventsOf(events[0]!.legUuid).filter((event) => event !== 'ringing')).toEqual([
        'created',
        'answered',
        'hangup',
      ]);
      const hangup = events.find(({ event }) => event === 'hangup');
      expect(hangup).toMatchObject({
        tenantId: TENANT,
        nodeId: ID,
        role: NodeRole.NODE_ROLE_MEDIA,
        outbound: false,
        hangupCause: 'NORMAL_CLEARING',
      });
      expect(new Set(events.map((event) => event.callId))).toEqual(new Set([call.callId]));
    });

    it('books the leg the node calls on the session it is called for', async () => {
      const callee = await Uac.open({ user: 'callee' });
      const bridge = await server.bridge(callee.address);
      try {
        const id = session();
        const call = await dial(bridge.number, id);
        await sessions(2);
        await eventually(() => eventsOf(id).some(({ event }) => event === 'bridged'), 'the bridge is told');
        const bridged = eventsOf(id).find(({ event }) => event === 'bridged')!;
        const legs = new Set(eventsOf(id).map(({ legUuid }) => legUuid));
        expect(legs).toEqual(new Set([bridged.legUuid, bridged.otherLegUuid]));
        expect(eventsOf(id).some(({ outbound, tenantId }) => outbound && tenantId === TENANT)).toBe(true);
        await call.bye();
        await eventually(
          () => eventsOf(id).filter(({ event }) => event === 'hangup').length === 2,
          'both legs hung up',
        );
      } finally {
        callee.close();
        await bridge.undo();
      }
    });

    it('counts a call that is not the mesh’s, with empty ids', async () => {
      const before = stage.calls.length;
      const call = await dial(server.answering);
      await sessions(1);
      await call.bye();
      await eventually(
        () => stage.calls.slice(before).some(({ event }) => event === 'hangup'),
        'the hangup is told',
      );
      for (const event of stage.calls.slice(before))
        expect(event).toMatchObject({ tenantId: '', sessionId: '' });
    });

    it('counts exactly through a burst, and tells each leg’s beginning and end once', async () => {
      const ids = new Set<string>();
      const call = () => {
        const id = session();
        ids.add(id);
        const headers = { 'X-Callmesh-Session': id, 'X-Callmesh-Tenant': TENANT };
        return { proxy: server.sip, to: `sip:${server.answering}@${server.sip}`, headers };
      };
      const batch = await uac.run({ count: 60, rate: 30, holdMs: 300, call });
      expect(batch.failed).toEqual([]);
      await sessions(0);
      await eventually(
        () =>
          stage.calls.filter(({ event, sessionId }) => event === 'hangup' && ids.has(sessionId)).length >= 60,
        'all hangups are told',
      );
      for (const id of ids) {
        const told = eventsOf(id).map(({ event }) => event);
        expect(told.filter((event) => event === 'created')).toHaveLength(1);
        expect(told.filter((event) => event === 'hangup')).toHaveLength(1);
      }
      const started = stage.loads.flatMap((report) => report.startedSessions).filter((id) => ids.has(id));
      expect(started.sort()).toEqual([...ids].sort());
    });

    it('knows what it missed while it was dead: calls that began, and calls that are still there', async () => {
      const [kept, ended] = [
        await dial(server.answering, session()),
        await dial(server.answering, session()),
      ];
      await sessions(2);
      await agent.kill();
      const id = session();
      const missed = await dial(server.answering, id);
      await ended.bye();
      const exact = sessions(2);
      await agent.start();
      await exact;
      await eventually(
        () => eventsOf(id).some(({ event }) => event === 'created'),
        'the missed call is told',
      );
      await Promise.all([kept.bye(), missed.bye()]);
      await eventually(() => eventsOf(id).some(({ event }) => event === 'hangup'), 'its hangup is told');
    });

    it('is exact again after its connection was cut, and tells the end of the calls that ended meanwhile', async () => {
      const [first, second] = [session(), session()];
      const [kept, ended] = [await dial(server.answering, first), await dial(server.answering, second)];
      await sessions(2);
      const down = stage.load(ID, ({ backend }) => backend === BackendState.BACKEND_STATE_DOWN, 'down');
      relay.cut();
      await down;
      await ended.bye();
      const third = session();
      const missed = await dial(server.answering, third);
      relay.mend();
      await stage.load(ID, (report) => report.backend === UP && report.sessions === 2, 'two sessions and up');
      await eventually(() => eventsOf(second).some(({ event }) => event === 'hangup'), 'the end is told');
      await eventually(
        () => eventsOf(third).some(({ event }) => event === 'created'),
        'the beginning is told',
      );
      expect(eventsOf(first).filter(({ event }) => event === 'created')).toHaveLength(1);
      await Promise.all([kept.bye(), missed.bye()]);
    });

    it('keeps call events while NATS is away', async () => {
      await stage.natsServer.process.stop();
      const id = session();
      const call = await dial(server.answering, id);
      await call.bye();
      await stage.natsServer.process.start();
      await eventually(
        () => eventsOf(id).some(({ event }) => event === 'hangup'),
        'the hangup is told after all',
        15_000,
      );
      expect(
        eventsOf(id)
          .map(({ event }) => event)
          .filter((event) => event !== 'ringing')
          .sort(),
      ).toEqual(['answered', 'created', 'hangup']);
    });

    it('says when the node is paused, and when it goes on', async () => {
      const paused = stage.load(ID, ({ backend }) => backend === BackendState.BACKEND_STATE_PAUSED, 'paused');
      await server.pause(true);
      await paused;
      const up = stage.up(ID);
      await server.pause(false);
      await up;
    });

    it('says stuck when the node stops answering, and takes it back when it goes on', async () => {
      server.process.freeze();
      try {
        const stuck = await stage.load(
          ID,
          ({ backend }) => backend === BackendState.BACKEND_STATE_STUCK,
          'stuck',
        );
        expect(stuck.backendReason).toContain('no answer');
        expect(await stage.record('media', ID)).toBeDefined();
      } finally {
        server.process.thaw();
      }
      await stage.up(ID);
    });

    it('says at once by every way when the node dies, and registers its next life as another', async () => {
      await dial(server.answering, session());
      await sessions(1);
      const before = await stage.registered('media', ID);
      const down = stage.load(ID, ({ backend }) => backend === BackendState.BACKEND_STATE_DOWN, 'down');
      const killedAt = Date.now();
      await server.process.kill();
      await down;
      expect(Date.now() - killedAt).toBeLessThan(500);
      await stage.unregistered('media', ID, 1_000);
      expect(stage.lifecycles.at(-1)).toMatchObject({ nodeId: ID, event: 'down', epoch: before.epoch });
      await server.process.start();
      const after = await stage.registered('media', ID);
      expect(after.epoch).not.toBe(before.epoch);
      await eventually(() => stage.lifecycles.at(-1)?.event === 'up', 'the new life is told');
      expect(stage.lifecycles.at(-1)).toMatchObject({ epoch: after.epoch });
      expect((await stage.status(agent)).reconnects).toBeGreaterThan(0);
    });

    it('tells the end of every call when the node is shut down in order', async () => {
      const id = session();
      await dial(server.answering, id);
      await sessions(1);
      await server.process.stop();
      await eventually(() => eventsOf(id).some(({ event }) => event === 'hangup'), 'the end is told');
      expect(eventsOf(id).find(({ event }) => event === 'hangup')?.hangupCause).toMatch(
        /SYSTEM_SHUTDOWN|MANAGER_REQUEST/,
      );
      await server.process.start();
      await stage.registered('media', ID);
    });

    it('stops without a word while the node carries calls, which would be given to others, and comes back to them', async () => {
      const call = await dial(server.answering, session());
      await sessions(1);
      const told = stage.lifecycles.length;
      await agent.stop();
      await stage.unregistered('media', ID, 10_000);
      expect(stage.lifecycles.slice(told)).toEqual([]);
      await agent.start();
      await stage.registered('media', ID);
      await sessions(1);
      await call.bye();
    });

    it('takes the node out of the table when it is stopped itself', async () => {
      await agent.stop();
      await stage.unregistered('media', ID, 500);
      expect(stage.lifecycles.at(-1)).toMatchObject({
        nodeId: ID,
        event: 'down',
        reason: 'node-agent stops',
      });
      await agent.start();
      await stage.registered('media', ID);
    });
  });
}
