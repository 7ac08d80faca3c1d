import { eventually } from '@callmesh/local';
import { SessionCacheServiceClient } from '@callmesh/proto/session';
import { call } from '@callmesh/runtime';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { mediaNodes, type TestTenant, World } from '../mesh/world.ts';
import { Phone } from '../sip/phone.ts';
import { describeReal } from './lab.ts';

const [DID, VOICE, TONE] = ['+4930100100', 440, 660];
const HA1 = '0123456789abcdef0123456789abcdef';
const agent = (username: string, extension: string, voicemail: boolean) => ({
  ...{ username, extension, voicemail, display_name: username, ha1_md5: HA1 },
});
const ACME: TestTenant = {
  ...{ id: 'acme', host: '127.0.9.1', group: 'red', number: DID },
  destination: { destination_kind: 'agent', destination: 'alice@acme.example' },
  more: {
    links: ['conference', 'internal'].map((fn) => ({ function: fn, group_id: 'red', role: 'media' })),
    agents: [agent('alice', '1001', false), agent('bob', '1002', true)],
  },
};
const NODES = [
  ...mediaNodes('red', 2, { server: 'freeswitch', max: 100 }),
  ...['fs-router-1', 'fs-router-2'].map((id) => ({
    ...{ id, role: 'router' as const, group: 'routers', server: 'freeswitch' as const, max: 100 },
  })),
];

/** Two agents behind two routers and two media nodes; what stands in for their door is a peer with a flow to each. */
describeReal('agents behind real fs-routers', () => {
  let world: World;
  let pbx: Phone;
  const phones = new Map<string, Phone>();
  let cseq = 0;
  beforeAll(async () => {
    pbx = await Phone.open('acme-pbx', VOICE, ACME.host);
    for (const name of ['alice', 'bob']) phones.set(name, await Phone.open(name, TONE, '127.0.0.1'));
    world = await World.start([ACME], { nodes: NODES, replicas: { 'call-control': 1, policy: 2 } });
  }, 180_000);
  afterEach(async () => {
    for (const phone of [pbx, ...phones.values()]) for (const one of phone.calls.splice(0)) one.hangUp();
  });
  afterAll(async () => {
    for (const phone of [pbx, ...phones.values()]) phone.close();
    await world?.stop();
  });

  const phone = (name: string) => phones.get(name)!;
  const routerSip = (id: string) => world.mesh.node(id).sip;

  /** What a door sends on once it has checked the agent's credentials. */
  function register(name: string, router: string, expires = 300): void {
    cseq += 1;
    const { agent: end, address } = phone(name);
    const head = [
      'REGISTER sip:acme.example SIP/2.0',
      `Via: SIP/2.0/UDP ${address};branch=z9hG4bK${name}${cseq}`,
      'Max-Forwards: 70',
      `From: <sip:${name}@acme.example>;tag=1`,
      `To: <sip:${name}@acme.example>`,
      `Call-ID: reg-${name}-${router}`,
      `CSeq: ${cseq} REGISTER`,
      `Contact: <sip:${name}@192.0.2.9:5060>;expires=${expires}`,
      `Path: <sip:flow-${name}@${address};lr>`,
      'Supported: path',
      'Content-Length: 0',
    ];
    const [host, port] = routerSip(router).split(':') as [string, string];
    end.endpoint.transport.send(`${head.join('\r\n')}\r\n\r\n`, {
      host,
      port: Number(port),
      transport: 'udp',
    });
  }

  async function known(name: string) {
    const client = world.mesh.client(SessionCacheServiceClient, 'session-cache-1');
    return (await call(client, 'getRegistrations', { aor: `${name}@acme.example` })).registrations;
  }

  async function registered(name: string, router: string): Promise<void> {
    register(name, router);
    await eventually(
      async () => (await known(name)).some(({ routerId }) => routerId === router),
      `session-cache knows ${name} at ${router}`,
    );
  }

  /** An agent dials through the door, which names the agent and the router it chose. */
  function dials(name: string, to: string, router = 'fs-router-1') {
    const headers = {
      'X-Callmesh-Session': `00000000000000${(cseq++ % 90) + 10}`,
      'X-Callmesh-Tenant': 'acme',
      'X-Callmesh-Node': router,
      'X-Callmesh-Agent': `${name}@acme.example`,
    };
    const from = `sip:${name}@acme.example`;
    return phone(name).call({ proxy: routerSip(router), to: `sip:${to}@acme.example`, from, headers });
  }

  const answered = (one: { status: number }) => eventually(() => one.status === 200, 'the call is answered');
  const hears = (one: { ear: { hears(hertz: number): number } }, hertz: number) =>
    eventually(() => one.ear.hears(hertz) > 0.5, `${hertz} Hz is heard`);

  it('are known to the mesh where they registered, with the path to them', async () => {
    await registered('alice', 'fs-router-1');
    const [alice] = await known('alice');
    expect(alice).toMatchObject({
      tenantId: 'acme',
      contact: 'sip:alice@192.0.2.9:5060',
      routerId: 'fs-router-1',
    });
    expect(alice?.path).toEqual([`sip:flow-alice@${phone('alice').address};lr`]);
  });

  it('are reached by a call to their number, and both hear each other', async () => {
    await registered('alice', 'fs-router-1');
    const caller = await pbx.call({
      proxy: `127.0.0.1:${world.mesh.edge.sipPort}`,
      to: `sip:${DID}@acme.example`,
    });
    const callee = await eventually(() => phone('alice').calls[0], 'alice is called');
    expect(callee.invite.uri).toBe('sip:alice@192.0.2.9:5060');
    await answered(caller);
    await hears(caller, TONE);
    await hears(callee, VOICE);
    caller.hangUp();
    await eventually(() => callee.end, 'alice is told');
  });

  it('reach a colleague by extension, on a media node', async () => {
    for (const name of ['alice', 'bob']) await registered(name, 'fs-router-2');
    const caller = await dials('alice', '1002');
    const callee = await eventually(() => phone('bob').calls[0], 'bob is called');
    await answered(caller);
    await hears(caller, TONE);
    await hears(callee, TONE);
    callee.hangUp();
    await eventually(() => caller.end, 'alice is told');
  });

  it('hear themselves at the echo test', async () => {
    const caller = await dials('alice', '9196');
    await answered(caller);
    await hears(caller, TONE);
    caller.hangUp();
  });

  it('meet in room 3000, on one node', async () => {
    const [a, b] = [await dials('alice', '3000'), await dials('bob', '3000', 'fs-router-2')];
    await Promise.all([answered(a), answered(b)]);
    await hears(a, TONE);
    await hears(b, TONE);
    for (const one of [a, b]) one.hangUp();
  });

  it('are reached by any router when the one they registered at is dead', async () => {
    await registered('alice', 'fs-router-1');
    await world.mesh.node('fs-router-1').server.kill();
    const began = performance.now();
    const caller = await pbx.call({
      proxy: `127.0.0.1:${world.mesh.edge.sipPort}`,
      to: `sip:${DID}@acme.example`,
    });
    await eventually(() => phone('alice').calls[0], 'alice is called');
    expect(performance.now() - began).toBeLessThan(2_000);
    await answered(caller);
    caller.hangUp();
    await world.mesh.node('fs-router-1').server.start();
    await eventually(async () => (await known('alice')).length > 0, 'alice is still known');
  });

  it('who are not there cannot be reached, or take a message', async () => {
    register('alice', 'fs-router-1', 0);
    register('alice', 'fs-router-2', 0);
    register('bob', 'fs-router-2', 0);
    for (const name of ['alice', 'bob'])
      await eventually(async () => (await known(name)).length === 0, `${name} is registered nowhere`);
    const caller = await pbx.call({
      proxy: `127.0.0.1:${world.mesh.edge.sipPort}`,
      to: `sip:${DID}@acme.example`,
    });
    await eventually(() => caller.end, 'the call ends');
    expect(caller.status).toBe(480);
    const message = await pbx.call({
      proxy: `127.0.0.1:${world.mesh.edge.sipPort}`,
      to: 'sip:1002@acme.example',
    });
    await answered(message);
    // A voice, not a tone: what is loud and not ours.
    await eventually(() => message.ear.loudness > 300, 'a prompt is heard');
    message.hangUp();
  });
});
