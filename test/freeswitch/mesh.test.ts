import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { eventually, freePort, freeswitchApi, freeswitchBinary, freeswitchNode } from '@callmesh/local';
import { NodeStatus } from '@callmesh/proto/state';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mediaNodes, tenants, World } from '../mesh/world.ts';
import { sdp } from '../sip/message.ts';
import { RtpEnd } from '../sip/rtp.ts';
import { Uac } from '../standin/uac.ts';

const IDS = ['fs-red-1', 'fs-red-2'] as const;
/** Its number is answered by a tone, without anybody commanding it. */
const TONE = { destination_kind: 'announcement', destination: 'tone_stream://%(1000,0,425);loops=60' };
const tenant = { ...tenants(1, ['red'], 7)[0]!, destination: TONE };
/** As the mesh sends a call to a node. */
const SESSION = { 'X-Callmesh-Session': '0123456789abcdef', 'X-Callmesh-Tenant': tenant.id };

/** Legs as FreeSWITCH itself counts them: "3 session(s) - peak 5, ...". */
async function legs(world: World, id: string): Promise<number> {
  const status = await freeswitchApi(world.mesh.node(id).esl, 'status');
  return Number(/^(\d+) session\(s\) - peak/m.exec(status)?.[1]);
}

async function counted(world: World, id: string): Promise<number | undefined> {
  return (await world.mesh.table()).find(({ node }) => node?.id === id)?.load?.sessions;
}

/** All an event socket says to this password, until it closes. */
async function greeting(port: number, password: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let said = '';
  socket.on('data', (data) => {
    said += data;
  });
  socket.write(`auth ${password}\n\n`);
  await once(socket, 'close');
  return said;
}

function rules(): void {
  let world: World;
  beforeAll(async () => {
    const nodes = mediaNodes('red', IDS.length, { server: 'freeswitch', max: 100 });
    world = await World.start([tenant], { nodes, replicas: { policy: 2, 'call-control': 1 } });
  }, 120_000);
  afterAll(() => world?.stop());

  const agrees = (id: string, sessions: number) =>
    eventually(
      async () => (await counted(world, id)) === sessions && (await legs(world, id)) === sessions,
      `state and ${id} both count ${sessions}`,
    );

  it('spreads calls over both, and counts them as they do', async () => {
    const pbx = await world.pbx(tenant);
    const calls = [];
    for (let index = 0; index < 20; index++) calls.push(pbx.call(world.to(tenant)));
    const outcomes = await Promise.all(calls.map(({ outcome }) => outcome));
    expect(outcomes.map(({ status }) => status)).toEqual(Array(20).fill(200));
    for (const id of IDS) {
      const here = outcomes.filter(({ node }) => world.mesh.nodeAt(node) === id).length;
      expect(here).toBe(10);
      await agrees(id, here);
    }
    const ends = await Promise.all(calls.map((call) => call.bye()));
    expect(ends.map(({ status }) => status)).toEqual(Array(20).fill(200));
    for (const id of IDS) await agrees(id, 0);
  });

  it('is heard, and hears', async () => {
    const pbx = await world.pbx(tenant);
    const ear = await RtpEnd.open(tenant.host);
    const call = pbx.call(world.to(tenant, { sdp: sdp(tenant.host, ear.port) }));
    const { status, node, response } = await call.outcome;
    expect(status).toBe(200);
    const { esl } = world.mesh.node(world.mesh.nodeAt(node));
    // A second of audio is 50 packets of 20 ms.
    await eventually(() => ear.received.length >= 50, 'a second of tone is heard');
    // Silence is one value throughout.
    expect(ear.received.some((payload) => new Set(payload).size > 3)).toBe(true);
    const port = Number(/^m=audio (\d+)/m.exec(response.body)?.[1]);
    const { rows } = JSON.parse(await freeswitchApi(esl, 'show channels as json'));
    await eventually(async () => {
      ear.send('x'.repeat(160), port);
      await freeswitchApi(esl, `uuid_set_media_stats ${rows[0].uuid}`);
      const packets = await freeswitchApi(esl, `uuid_getvar ${rows[0].uuid} rtp_audio_in_media_packet_count`);
      return Number(packets) >= 10;
    }, 'ten packets of ours arrived');
    expect((await call.bye()).status).toBe(200);
    ear.close();
  });

  it('refuses SIP of whoever is not a peer', async () => {
    const stranger = await Uac.open({ host: '127.0.7.99', user: 'stranger' });
    const { sip } = world.mesh.node(IDS[0]);
    const to = `sip:${tenant.number}@${sip}`;
    const { status } = await stranger.call({ proxy: sip, to, headers: SESSION }).outcome;
    expect(status).toBe(403);
    expect((await stranger.request('REGISTER', `sip:${sip}`)).status).toBe(405);
    stranger.close();
    await agrees(IDS[0], 0);
  });

  it('knows no number but those of the mesh and the echo test', async () => {
    const peer = await Uac.open({ host: '127.0.0.1', user: 'door' });
    const { sip } = world.mesh.node(IDS[0]);
    expect((await peer.call({ proxy: sip, to: `sip:${tenant.number}@${sip}` }).outcome).status).toBe(404);
    const ear = await RtpEnd.open('127.0.0.1');
    const echo = peer.call({ proxy: sip, to: `sip:9196@${sip}`, sdp: sdp('127.0.0.1', ear.port) });
    const { status, response } = await echo.outcome;
    expect(status).toBe(200);
    const port = Number(/^m=audio (\d+)/m.exec(response.body)?.[1]);
    await eventually(() => {
      ear.send('mesh'.repeat(40), port);
      return ear.received.some((payload) => payload.includes('meshmesh'));
    }, 'what we say comes back');
    expect((await echo.bye()).status).toBe(200);
    for (const end of [peer, ear]) end.close();
  });

  it.each(['wrong', 'ClueCon'])(
    'lets nobody in at the event socket with the password %s',
    async (password) => {
      const said = await greeting(world.mesh.node(IDS[0]).esl.port, password);
      expect(said).toContain('-ERR invalid');
      expect(said).not.toContain('+OK');
    },
  );

  it('does not start without a password for its event socket', async () => {
    const esl = { port: await freePort(), password: '' };
    const dir = join(world.mesh.dir, 'fs-open');
    const sip = `127.0.0.1:${await freePort()}`;
    const open = freeswitchNode({ id: 'fs-open', role: 'media', dir, sip, esl, max: 0 });
    await expect(open.start()).rejects.toThrow('missing-in-the-environment.FS_ESL_PASSWORD');
  });

  it('takes the next call on the other one, when one was killed', async () => {
    const [dead, alive] = IDS;
    const pbx = await world.pbx(tenant);
    const killed = performance.now();
    await world.mesh.node(dead).server.kill();
    await world.mesh.until(dead, NodeStatus.NODE_STATUS_DOWN);
    expect(performance.now() - killed).toBeLessThan(1_000);
    const batch = await pbx.run({ count: 4, rate: 20, holdMs: 100, call: () => world.to(tenant) });
    expect(batch.failed).toEqual([]);
    expect([...batch.byNode.keys()].map((sip) => world.mesh.nodeAt(sip))).toEqual([alive]);
    await agrees(alive, 0);
  });
}

const REAL = 'two real FreeSWITCH media nodes behind the door';
if (freeswitchBinary()) describe(REAL, rules);
else describe(REAL, () => it.skip('skipped: no freeswitch on PATH or in FREESWITCH_HOME', () => {}));
