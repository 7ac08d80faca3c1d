import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { type Agent, alice } from './agent.ts';
import { agentPolicy, agentsStage } from './agents-stage.ts';
import { Dialog } from './caller.ts';
import { replyTo, type SipMessage, sdp } from './message.ts';
import { nodeTag } from './node.ts';
import type { Router } from './router.ts';
import { RtpEnd } from './rtp.ts';
import { Rtpengine, relays } from './rtpengine.ts';
import type { WebPeer } from './web-peer.ts';

const fingerprint = Array.from({ length: 32 }, (_, i) => i.toString(16).padStart(2, '0').toUpperCase()).join(
  ':',
);

/** What a browser offers (RFC 8829), as far as a relay reads it; in an answer it is passive. */
function browserSdp(setup: 'actpass' | 'active' = 'actpass', direction = 'sendrecv'): string {
  return [
    'v=0',
    'o=- 42 2 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    'a=group:BUNDLE 0',
    'a=msid-semantic: WMS',
    'm=audio 40000 UDP/TLS/RTP/SAVPF 8 111',
    'c=IN IP4 127.0.0.3',
    'a=rtcp:9 IN IP4 0.0.0.0',
    'a=candidate:1 1 udp 2122260223 127.0.0.3 40000 typ host generation 0',
    'a=ice-ufrag:abcd',
    'a=ice-pwd:abcdefghijklmnopqrstuvwx',
    `a=fingerprint:sha-256 ${fingerprint}`,
    `a=setup:${setup}`,
    'a=mid:0',
    `a=${direction}`,
    'a=rtcp-mux',
    'a=rtpmap:8 PCMA/8000',
    'a=rtpmap:111 opus/48000/2',
    '',
  ].join('\r\n');
}

const heldSdp = (port: number) => sdp('127.0.0.1', port).replace('a=rtpmap', 'a=sendonly\r\na=rtpmap');

/** What a node must be offered: plain RTP, and nothing of ICE, DTLS, BUNDLE. */
function expectPlain({ body }: SipMessage): void {
  expect(body).toMatch(/^m=audio \d+ RTP\/AVP /m);
  expect(body).not.toMatch(/a=(candidate|ice-|fingerprint|setup|rtcp-mux|crypto)/);
}

/** What a browser must be offered: it accepts nothing less. */
function expectWeb({ body }: SipMessage): void {
  expect(body).toMatch(/^m=audio \d+ UDP\/TLS\/RTP\/SAVPF /m);
  for (const line of [
    'a=candidate:',
    'a=ice-ufrag:',
    'a=ice-pwd:',
    'a=fingerprint:',
    'a=setup:',
    'a=rtcp-mux',
  ])
    expect(body).toContain(line);
  expect(body).not.toContain('a=crypto');
}

const portOf = ({ body }: SipMessage) => Number(/^m=audio (\d+)/m.exec(body)?.[1]);

describe('the media of an agent in a browser', () => {
  let engine: Rtpengine;
  let spare: Rtpengine;
  const s = agentsStage(async () => {
    engine = await Rtpengine.start(0);
    spare = await Rtpengine.start(1);
    return { ...relays(engine.url, spare.url), CONNECTION_MESSAGES: '1000' };
  });
  let router: Router;
  let agent: Agent;

  beforeEach(async () => {
    router = await s.router();
    s.policy.script = agentPolicy([alice], [router]);
    agent = await s.webAgent(alice);
    await agent.register();
  });
  afterAll(async () => {
    await engine?.stop();
    await spare?.stop();
  });

  const usual = (body: string) => {
    router.peer.handler = (message, from) => {
      if (!message.method || message.method === 'ACK') return;
      const options = { toTag: nodeTag, contact: `sip:node@${router.key}` };
      const answer = message.method === 'INVITE' ? { ...options, body } : options;
      router.peer.send(replyTo(message, 200, 'OK', answer), from);
    };
  };

  /** A call the browser places. */
  async function placed(): Promise<{
    agents: Dialog;
    routers: Dialog;
    offer: SipMessage;
    answer: SipMessage;
  }> {
    usual(sdp('127.0.0.1', 41000));
    const agents = agent.dial('bob');
    const answer = await agent.call(agents, { body: browserSdp() });
    const { message: offer } = await router.peer.takeRequest('INVITE');
    return { agents, routers: Dialog.answering(router.peer, s.edge, offer, nodeTag), offer, answer };
  }

  /** A call a router places to the browser. */
  async function received(): Promise<{
    routers: Dialog;
    agents: Dialog;
    offer: SipMessage;
    answer: SipMessage;
  }> {
    const routers = router.dialogTo(router.bindings[0]!, s.edge);
    const offered = agent.peer.takeRequest('INVITE');
    routers.send('INVITE', { headers: [['X-Callmesh-Tenant', 'acme']], body: sdp('127.0.0.1', 41000) });
    const { message: offer } = await offered;
    const contact = agent.peer.contact;
    agent.peer.send(
      replyTo(offer, 200, 'OK', { toTag: 'agent', contact, body: browserSdp('active') }),
      s.door,
    );
    const { message: answer } = await routers.reply('INVITE');
    routers.confirm(answer);
    return { routers, agents: Dialog.answering(agent.peer, s.door, offer, 'agent'), offer, answer };
  }

  it('is plain RTP for the node and DTLS-SRTP with ICE for the browser that calls', async () => {
    const { offer, answer } = await placed();
    expectPlain(offer);
    expect(offer.body).toContain('a=rtpmap:111 opus/48000/2');
    expectWeb(answer);
    expect(answer.body).toMatch(/a=setup:(active|passive)/);
    expect(answer.body).not.toContain('41000');
  });

  it('is DTLS-SRTP with ICE for the browser that is called and plain RTP for the node', async () => {
    const { offer, answer } = await received();
    expectWeb(offer);
    expect(offer.body).toContain('a=mid:');
    expectPlain(answer);
    expect(portOf(answer)).not.toBe(40000);
  });

  it('is held and taken back by the browser', async () => {
    const { agents } = await placed();
    for (const direction of ['sendonly', 'sendrecv']) {
      agents.cseq += 1;
      agents.send('INVITE', { body: browserSdp('actpass', direction) });
      const { message: ok } = await agents.reply('INVITE');
      agents.confirm(ok);
      const { message: reoffer } = await router.peer.takeRequest('INVITE');
      expectPlain(reoffer);
      expect(reoffer.body).toContain(`a=${direction}`);
      expectWeb(ok);
    }
  });

  it('is held and taken back by the node', async () => {
    const { routers } = await received();
    for (const body of [heldSdp(41000), sdp('127.0.0.1', 41000)]) {
      routers.cseq += 1;
      const offered = agent.peer.takeRequest('INVITE');
      routers.send('INVITE', { body });
      const { message: offer } = await offered;
      expectWeb(offer);
      expect(offer.body).toContain(body.includes('sendonly') ? 'a=sendonly' : 'a=sendrecv');
      const answer = browserSdp('active', body.includes('sendonly') ? 'recvonly' : 'sendrecv');
      agent.peer.send(
        replyTo(offer, 200, 'OK', { toTag: 'agent', contact: agent.peer.contact, body: answer }),
        s.door,
      );
      const { message: ok } = await routers.reply('INVITE');
      routers.confirm(ok);
      expectPlain(ok);
    }
  });

  it('is heard early', async () => {
    const routers = router.dialogTo(router.bindings[0]!, s.edge);
    routers.send('INVITE', { headers: [['X-Callmesh-Tenant', 'acme']], body: sdp('127.0.0.1', 41000) });
    const { message: offer } = await agent.peer.takeRequest('INVITE');
    const contact = agent.peer.contact;
    const early = { toTag: 'agent', contact, body: browserSdp('active') };
    agent.peer.send(replyTo(offer, 183, 'Session Progress', early), s.door);
    expectPlain((await routers.reply('INVITE', 183)).message);
  });

  it('is given back at the end, by whichever side, and when nobody answered', async () => {
    const deletes = async () => (await engine.commands('delete')) + (await spare.commands('delete'));
    const before = await deletes();
    const { agents } = await placed();
    agents.cseq += 1;
    agents.send('BYE');
    await agents.reply('BYE');
    expect(await deletes()).toBe(before + 1);

    const { routers } = await received();
    routers.cseq += 1;
    routers.send('BYE');
    const { message: bye } = await agent.peer.takeRequest('BYE');
    agent.peer.send(replyTo(bye, 200, 'OK'), s.door);
    await routers.reply('BYE');
    expect(await deletes()).toBe(before + 2);

    const missed = router.dialogTo(router.bindings[0]!, s.edge);
    missed.send('INVITE', { headers: [['X-Callmesh-Tenant', 'acme']], body: sdp('127.0.0.1', 41000) });
    const { message: invite } = await agent.peer.take(
      'INVITE',
      (m) => m.body !== '' && m.method === 'INVITE',
    );
    agent.peer.send(replyTo(invite, 486, 'Busy Here', { toTag: 'agent' }), s.door);
    expect((await missed.reply('INVITE')).message.status).toBe(486);
    expect(await deletes()).toBe(before + 3);
  });

  it('of one call is one relay’s, and of many calls is spread', async () => {
    const [first, second] = [await engine.commands('offer'), await spare.commands('offer')];
    for (let i = 0; i < 12; i++) {
      const offers = async () => [await engine.commands('offer'), await spare.commands('offer')] as const;
      const before = await offers();
      const { agents } = await placed();
      agents.cseq += 1;
      agents.send('INVITE', { body: browserSdp('actpass', 'sendonly') });
      agents.confirm((await agents.reply('INVITE')).message);
      await router.peer.takeRequest('INVITE');
      const after = await offers();
      expect([after[0] - before[0], after[1] - before[1]].sort()).toEqual([0, 2]);
    }
    expect(await engine.commands('offer')).toBeGreaterThan(first);
    expect(await spare.commands('offer')).toBeGreaterThan(second);
  });

  it('goes through another relay at once when one has died, also that of a call which is held then', async () => {
    const calls = [];
    for (let i = 0; i < 6; i++) calls.push(await placed());
    await engine.stop();
    for (let i = 0; i < 6; i++) {
      const started = Date.now();
      const { offer, answer } = await placed();
      expectPlain(offer);
      expectWeb(answer);
      expect(Date.now() - started).toBeLessThan(1_500);
    }
    for (const { agents } of calls) {
      agents.cseq += 1;
      agents.send('INVITE', { body: browserSdp('actpass', 'sendonly') });
      const { message: ok } = await agents.reply('INVITE');
      agents.confirm(ok);
      expectPlain((await router.peer.takeRequest('INVITE')).message);
      expectWeb(ok);
    }
    expect((agent.peer as WebPeer).closed).toBe(false);
  });
});

describe('the media of an agent with a phone', () => {
  let engine: Rtpengine;
  const s = agentsStage(async () => {
    engine = await Rtpengine.start();
    return relays(engine.url);
  });
  afterAll(() => engine?.stop());

  it('is relayed: nodes are not for the outside to see', async () => {
    const router = await s.router();
    s.policy.script = agentPolicy([alice], [router]);
    const agent = await s.udpAgent(alice);
    await agent.call(agent.dial('bob'), { body: sdp('127.0.0.4', 40000) });
    const { message: offer } = await router.peer.takeRequest('INVITE');
    expectPlain(offer);
    expect(portOf(offer)).not.toBe(40000);
  });
});

describe('the sound of an agent’s calls when a relay is killed', () => {
  const engines: Rtpengine[] = [];
  const s = agentsStage(async () => {
    for (const which of [0, 1] as const) engines.push(await Rtpengine.start(which));
    return relays(...engines.map(({ url }) => url));
  });
  const ends: RtpEnd[] = [];
  afterAll(async () => {
    for (const end of ends) end.close();
    for (const engine of engines) await engine.stop();
  });

  it('is heard in new calls at once, goes on in those of the other, and comes back in its own when either side offers anew', async () => {
    const router = await s.router();
    s.policy.script = agentPolicy([alice], [router]);
    const agent = await s.udpAgent(alice);
    const open = async (address: string) => {
      const end = await RtpEnd.open(address);
      ends.push(end);
      return end;
    };

    /** A call with sound at both ends. */
    async function placed() {
      const [phone, node] = [await open('127.0.0.4'), await open('127.0.0.1')];
      router.peer.handler = (message, from) => {
        if (!message.method || message.method === 'ACK') return;
        const options = { toTag: nodeTag, contact: `sip:node@${router.key}` };
        const body = sdp('127.0.0.1', node.port);
        router.peer.send(replyTo(message, 200, 'OK', { ...options, body }), from);
      };
      const dialog = agent.dial('bob');
      const answer = await agent.call(dialog, { body: sdp('127.0.0.4', phone.port) });
      expect(answer.status).toBe(200);
      const talk = (reply: SipMessage) => phone.talk(440, portOf(reply));
      talk(answer);
      const first = engines[0]!.has(portOf(answer));
      return { phone, node, dialog, talk, first };
    }
    const heard = (node: RtpEnd) =>
      expect.poll(() => node.hears(440), { timeout: 3_000 }).toBeGreaterThan(0.5);

    const calls: Awaited<ReturnType<typeof placed>>[] = [];
    while (!calls.some(({ first }) => first) || !calls.some(({ first }) => !first))
      calls.push(await placed());
    for (const { node } of calls) await heard(node);
    await engines[0]!.kill();

    // A new one.
    for (let i = 0; i < 3; i++) await heard((await placed()).node);
    for (const { node, first } of calls)
      if (first) await expect.poll(() => node.loudness).toBe(0);
      else await heard(node);
    for (const { phone, node, dialog, talk } of calls.filter(({ first }) => first)) {
      dialog.cseq += 1;
      dialog.send('INVITE', { body: sdp('127.0.0.4', phone.port) });
      router.peer.handler = (message, from) => {
        const options = {
          toTag: nodeTag,
          contact: `sip:node@${router.key}`,
          body: sdp('127.0.0.1', node.port),
        };
        if (message.method === 'INVITE') router.peer.send(replyTo(message, 200, 'OK', options), from);
      };
      const { message: ok } = await dialog.reply('INVITE');
      dialog.confirm(ok);
      talk(ok);
      await heard(node);
    }
  });
});
