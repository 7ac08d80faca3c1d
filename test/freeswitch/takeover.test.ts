import { eventually } from '@callmesh/local';
import type { CallEvent } from '@callmesh/proto/call';
import { CdrServiceClient, Disposition } from '@callmesh/proto/cdr';
import { NodeRole } from '@callmesh/proto/node';
import { NodeStatus } from '@callmesh/proto/state';
import { call as ask } from '@callmesh/runtime';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { Platform } from '../mesh/platform.ts';
import { mediaNodes, type TestTenant, World } from '../mesh/world.ts';
import { alice, bob } from '../sip/agent.ts';
import { ha1Of } from '../sip/credentials.ts';
import { Phone, type PhoneCall } from '../sip/phone.ts';
import { page } from '../sip/web-peer.ts';
import { WebPhone } from '../sip/web-phone.ts';
import { describeReal } from './lab.ts';

const VOICES = { caller: 700, callee: 1100, alice: 660, bob: 880 };
const EXTENSION = '+4930100407';
const MEDIA = ['fs-red-1', 'fs-red-2', 'fs-red-3'];
const ROUTERS = ['fs-router-1', 'fs-router-2'];
const { NODE_STATUS_DOWN: DOWN, NODE_STATUS_UP: UP } = NodeStatus;
const carries = { server: 'freeswitch', max: 60 } as const;

/** A PBX whose extension is called through it, and two agents. */
function tenantOf(callee: Phone): TestTenant {
  const agents = [alice, bob].map((account, n) => ({
    ...{ username: account.user, extension: `100${n + 1}`, display_name: account.user, voicemail: false },
    ha1_md5: ha1Of(account),
  }));
  return {
    ...{ id: 'acme', host: callee.agent.host, group: 'red', number: '+4930100400' },
    tenant: { web_origins: [page] },
    trunk: { contact_uri: `sip:${callee.address};transport=udp` },
    more: {
      links: [{ function: 'internal', group_id: 'red', role: 'media' }],
      agents,
      dids: [
        { number: EXTENSION, function: 'general', destination_kind: 'trunk', destination: 'acme-pbx/200' },
      ],
    },
  };
}

/** A conversation: who called, who was called, and the caller's leg at the media node. */
interface Talk {
  readonly a: PhoneCall;
  readonly b: PhoneCall;
  readonly voices: readonly [number, number];
  readonly leg: CallEvent;
}

describeReal('calls of a node that dies', () => {
  let world: World;
  let platform: Platform;
  let caller: Phone;
  let callee: Phone;
  const agents: WebPhone[] = [];
  const talks: Talk[] = [];

  beforeAll(async () => {
    caller = await Phone.open('caller', VOICES.caller, '127.0.45.1');
    callee = await Phone.open('callee', VOICES.callee, '127.0.45.1');
    world = await World.start([tenantOf(callee)], {
      nodes: [
        ...mediaNodes('red', MEDIA.length, carries),
        ...ROUTERS.map((id) => ({ id, role: 'router' as const, group: 'routers', ...carries })),
      ],
      replicas: { 'call-control': 1, state: 2 },
      doors: [{ id: 'kama-wss-1' }],
    });
    platform = new Platform(world.mesh, 'acme');
  }, 180_000);

  afterEach(async () => {
    for (const { a, b } of talks.splice(0)) for (const one of [a, b]) if (!one.end) one.hangUp();
    for (const one of agents.splice(0)) one.close();
    callee.calls.splice(0);
    const leader = world.mesh.service('state-1');
    if (!leader.running) await leader.start();
    for (const id of [...MEDIA, ...ROUTERS]) await alive(id);
    await eventually(
      async () => (await world.mesh.table()).every(({ load }) => (load?.sessions ?? 0) === 0),
      'no leg is left',
      20_000,
    );
  }, 60_000);

  afterAll(async () => {
    platform?.close();
    for (const phone of [caller, callee]) phone?.close();
    await world?.stop();
  });

  async function alive(id: string): Promise<void> {
    const { server } = world.mesh.node(id);
    if (!server.running) await server.start();
    await world.mesh.until(id, UP, 20_000);
  }

  async function conversation(
    dialled: Promise<PhoneCall>,
    [called, index]: [Phone, number],
    voices: Talk['voices'],
  ): Promise<Talk> {
    const a = await dialled;
    const b = await eventually(() => called.calls[index], 'somebody is called');
    await eventually(() => a.status === 200, 'the call is answered');
    const { callId } = b.session.dialog;
    const callIds = [a.session.dialog.callId, callId];
    const leg = await platform.told(({ event, callId: id }) => event === 'answered' && callIds.includes(id));
    const one = { a, b, voices, leg };
    talks.push(one);
    await heard(one);
    return one;
  }

  function talk(): Promise<Talk> {
    const dialled = caller.call({
      proxy: `127.0.0.1:${world.mesh.edge.sipPort}`,
      to: `sip:${EXTENSION}@acme.example`,
    });
    return conversation(dialled, [callee, callee.calls.length], [VOICES.caller, VOICES.callee]);
  }

  async function heard({ a, b, voices }: Talk): Promise<void> {
    await eventually(() => a.ear.hears(voices[1]) > 0.5, 'the caller hears who was called');
    await eventually(() => b.ear.hears(voices[0]) > 0.5, 'who was called hears the caller');
  }

  /** A node of this role that has legs. */
  const busy = (role: NodeRole) =>
    eventually(async () => {
      const rows = await world.mesh.table();
      const found = rows.find(
        ({ node, load, status }) => node?.role === role && status === UP && load!.sessions > 0,
      );
      return found?.node?.id;
    }, 'a node has the call');

  const reinvites = ({ a, b }: Talk) =>
    [a, b].map(({ received }) => received.filter(({ method }) => method === 'INVITE').length);

  /** So many conversations; those of the first one's node, and the others. */
  async function several(count: number): Promise<{ node: string; hit: Talk[]; spared: Talk[] }> {
    const all: Talk[] = [];
    for (let index = 0; index < count; index += 1) all.push(await talk());
    const node = all[0]!.leg.nodeId;
    const hit = all.filter(({ leg }) => leg.nodeId === node);
    return { node, hit, spared: all.filter((one) => !hit.includes(one)) };
  }

  async function resumed(hit: readonly Talk[]): Promise<void> {
    await eventually(
      () => hit.every((one) => reinvites(one).every((count) => count > 0)),
      'the far ends are told where the calls are now',
      15_000,
    );
    for (const one of hit) await heard(one);
  }

  const moved = ({ leg: { legUuid } }: Talk) => platform.told({ event: 'moved', legUuid });

  /** A session's record, once all its legs have ended. */
  const recorded = (sessionId: string) =>
    eventually(async () => {
      const client = world.mesh.client(CdrServiceClient, 'call-control-1');
      const found = await ask(client, 'getSession', { tenantId: 'acme', sessionId });
      return found.session?.endedAt ? found : undefined;
    }, `session ${sessionId} is recorded`);

  it('go on at others of its group, where they are held, commanded, hung up and recorded', async () => {
    const { node, hit, spared } = await several(9);
    expect(hit.length).toBeGreaterThanOrEqual(3);
    const killedAt = new Date();
    await world.mesh.node(node).server.kill();
    await resumed(hit);
    expect(spared.map(reinvites)).toEqual(spared.map(() => [0, 0]));
    const heirs = new Set((await Promise.all(hit.map(moved))).map(({ nodeId }) => nodeId));
    expect([...heirs]).not.toContain(node);
    expect(heirs.size).toBeGreaterThan(1);

    const [first, second, third] = hit as [Talk, Talk, Talk];
    expect((await first.a.hold(true)).status).toBe(200);
    expect((await first.a.hold(false)).status).toBe(200);
    await heard(first);
    first.a.hangUp();
    second.b.hangUp();
    const told = await platform.do('hangUp', { leg: platform.leg(third.leg) });
    expect(told.nodeId).toBe((await moved(third)).nodeId);
    for (const { a, b } of [first, second, third])
      await eventually(() => a.end && b.end, 'both sides are told');

    const { session, legs } = await recorded(first.leg.sessionId);
    expect(session?.disposition).toBe(Disposition.DISPOSITION_ANSWERED);
    expect(legs).toHaveLength(2);
    for (const { summary } of legs) {
      expect(summary!.answeredAt!.getTime()).toBeLessThan(killedAt.getTime());
      expect(summary!.endedAt!.getTime()).toBeGreaterThan(killedAt.getTime());
    }
  }, 60_000);

  it('are no more its own when it froze with its whole host and thaws', async () => {
    const { node, hit } = await several(3);
    const { server, agent } = world.mesh.node(node);
    for (const process of [server, agent]) process.freeze();
    await resumed(hit);
    for (const process of [server, agent]) process.thaw();
    await eventually(() => !server.running, 'its agent ends it');
    for (const one of hit) {
      await heard(one);
      expect([one.a.end, one.b.end]).toEqual([undefined, undefined]);
    }
  }, 60_000);

  it('go on when the heir and the replica of state that leads die as well', async () => {
    const { hit, spared } = await several(6);
    const dead = [hit, spared].map(([one]) => one!.leg.nodeId);
    await Promise.all([
      ...dead.map((id) => world.mesh.node(id).server.kill()),
      world.mesh.service('state-1').kill(),
    ]);
    await resumed([...hit, ...spared].filter(({ leg }) => dead.includes(leg.nodeId)));
  }, 60_000);

  it.each([
    ['router', NodeRole.NODE_ROLE_ROUTER],
    ['media node', NodeRole.NODE_ROLE_MEDIA],
  ])(
    'of agents go on when their %s dies',
    async (_, role) => {
      for (const [account, voice] of [
        [alice, VOICES.alice],
        [bob, VOICES.bob],
      ] as const)
        agents.push(await WebPhone.open(account, voice, world.mesh.door()));
      const [a, b] = agents as [WebPhone, WebPhone];
      const one = await conversation(a.call('1002'), [b.phone, 0], [VOICES.alice, VOICES.bob]);
      const id = await busy(role);
      await world.mesh.node(id).server.kill();
      await world.mesh.until(id, DOWN);
      await eventually(
        () => reinvites(one).some((count) => count > 0),
        'a far end is told where the call is now',
      );
      expect(await busy(role)).not.toBe(id);
      await heard(one);
      one.b.hangUp();
      await eventually(() => one.a.end, 'the other agent is told');
    },
    60_000,
  );
});
