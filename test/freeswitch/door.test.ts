import { eventually } from '@callmesh/local';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { keptContact } from '../../services/node-agent/src/domain/xml/contact.ts';
import { deviceAddress } from '../../services/policy/src/domain/freeswitch/contact.ts';
import { type Agent, alice } from '../sip/agent.ts';
import { acceptAgent, agentsStage } from '../sip/agents-stage.ts';
import { Dialog } from '../sip/caller.ts';
import { replyTo, sdp } from '../sip/message.ts';
import type { WebPeer } from '../sip/web-peer.ts';
import { Uac } from '../standin/uac.ts';
import { describeReal, Lab, type LabNode } from './lab.ts';
import { dialplan } from './xml-server.ts';

const SESSION = { 'X-Callmesh-Session': '0123456789abcdef', 'X-Callmesh-Tenant': 'acme' };

describeReal('the agents’ door in front of a real fs-router', () => {
  const lab = new Lab();
  const s = agentsStage();
  let router: LabNode;
  let media: Uac;
  let agent: Agent;

  beforeAll(async () => {
    router = await lab.node('fs-router-1', 'router');
  }, 60_000);
  afterAll(() => lab.stop());
  beforeEach(async () => {
    await s.edge.nodes([router.sip]);
    s.policy.script = ({ path }) => acceptAgent(alice, path, [{ key: router.sip }]);
    media = await Uac.open({ user: 'media' });
    agent = await s.webAgent(alice);
    expect((await agent.register()).status).toBe(200);
    await eventually(async () => (await contacts()).length === 1, 'the contact is kept');
    await ringing();
  });
  afterEach(async () => {
    media.close();
    (agent.peer as WebPeer).drop();
    await eventually(async () => (await contacts()).length === 0, 'nobody is registered any more');
  });

  /** What the router has, as its node-agent and policy read it. */
  async function contacts(): Promise<string[]> {
    const list = await router.api('show registrations as json');
    const { rows = [] } = JSON.parse(list) as { rows?: { url: string }[] };
    return rows.map(({ url }) => {
      const { contact, path } = keptContact(url)!;
      return deviceAddress({ uri: contact, path, tenantId: 'acme', routerId: '' })!;
    });
  }

  /** Calls to the router ring every device, as policy has it done. */
  async function ringing(): Promise<void> {
    const devices = (await contacts()).join(',');
    router.xml.answer = ({ section }) =>
      section === 'dialplan'
        ? dialplan('mesh', ['set', 'continue_on_fail=false'], ['bridge', devices])
        : undefined;
  }

  const calling = () =>
    media.call({
      proxy: router.sip,
      to: `sip:alice@acme.example`,
      headers: SESSION,
      sdp: sdp('127.0.0.1', 41000),
    });

  /** The browser answers a call. */
  async function answered() {
    const call = calling();
    const { message: invite } = await agent.peer.takeRequest('INVITE');
    const contact = agent.peer.contact;
    agent.peer.send(
      replyTo(invite, 200, 'OK', { toTag: 'agent', contact, body: sdp('127.0.0.3', 40000) }),
      s.door,
    );
    expect((await call.outcome).status).toBe(200);
    await agent.peer.takeRequest('ACK');
    return { call, invite, agents: Dialog.answering(agent.peer, s.door, invite, 'agent') };
  }

  it('brings a call to the browser along the Path FreeSWITCH kept, and tells it nothing of the mesh', async () => {
    const { call, invite } = await answered();
    expect(invite.uri).toBe(agent.peer.contact);
    expect(invite.raw.toString()).not.toMatch(/X-Callmesh|^Route:/m);
    // Its SDP passes by: the media node's own is what the browser is offered.
    expect(invite.body).toContain('m=audio 41000');
    await call.bye();
    const { message: bye } = await agent.peer.takeRequest('BYE');
    agent.peer.send(replyTo(bye, 200, 'OK'), s.door);
  });

  it('brings the browser’s requests to the media node, and its BYE', async () => {
    const { call, agents } = await answered();
    agents.send('INFO', { headers: [['Content-Type', 'application/dtmf-relay']] });
    expect((await agents.reply('INFO')).message.status).toBe(200);
    agents.cseq += 1;
    agents.send('BYE');
    expect((await agents.reply('BYE')).message.status).toBe(200);
    await call.ended;
  });

  it('finds the browser again at a new connection, in the middle of a call', async () => {
    const { call } = await answered();
    (agent.peer as WebPeer).drop();
    const again = await s.back(agent);
    expect((await again.register()).status).toBe(200);
    agent = again;
    await eventually(
      async () => (await contacts()).length === 1,
      'the old contact is gone, the new one is kept',
    );
    expect(await router.api('sofia status profile mesh reg')).toContain('Total items returned: 1');
    call.bye();
    const { message: bye } = await again.peer.takeRequest('BYE');
    again.peer.send(replyTo(bye, 200, 'OK'), s.door);
  });

  it('rings the other device when one has gone without a word', async () => {
    const home = await s.webAgent(alice);
    await home.register();
    await eventually(async () => (await contacts()).length === 2, 'both are kept');
    await ringing();
    (home.peer as WebPeer).drop();
    await eventually(async () => (await contacts()).length === 1, 'the router hears that one has gone');
    // The dialplan still names both.
    const started = Date.now();
    const { call } = await answered();
    expect(Date.now() - started).toBeLessThan(1_500);
    const bye = agent.peer.takeRequest('BYE');
    call.bye();
    agent.peer.send(replyTo((await bye).message, 200, 'OK'), s.door);
  });

  it('answers a call at once when the only device has gone', async () => {
    (agent.peer as WebPeer).drop();
    await eventually(async () => (await contacts()).length === 0, 'the router hears that it has gone');
    const started = Date.now();
    const outcome = await calling().outcome;
    expect(outcome.status).toBeGreaterThanOrEqual(400);
    expect(Date.now() - started).toBeLessThan(1_500);
  });

  it('tells the router who calls', async () => {
    router.xml.questions.length = 0;
    router.xml.answer = ({ section }) =>
      section === 'dialplan' ? dialplan('mesh', ['respond', '486']) : undefined;
    const dialog = agent.dial('bob');
    expect((await agent.call(dialog, { body: sdp('127.0.0.3', 40000) })).status).toBe(486);
    const { fields } = router.xml.questions.at(-1)!;
    expect(fields.get('variable_sip_h_X-Callmesh-Agent')).toBe('alice@acme.example');
    expect(fields.get('variable_sip_h_X-Callmesh-Tenant')).toBe('acme');
    expect(fields.get('Caller-Destination-Number')).toBeTruthy();
  });
});
