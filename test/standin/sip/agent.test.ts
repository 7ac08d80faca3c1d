import { afterEach, describe, expect, it } from 'vitest';
import { soon } from '../soon.test-support.ts';
import { SipAgent } from './agent.ts';
import type { SipRequest, SipResponse } from './message.ts';
import type { OutgoingSession } from './outgoing.ts';
import { parseMessage } from './parse.ts';
import type { Target } from './uri.ts';

const SDP =
  'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n';
const FAST = { t1: 50, t2: 400, t4: 500 };
const open: SipAgent[] = [];
afterEach(() => {
  for (const agent of open.splice(0)) agent.destroy();
});

async function agent(timers = FAST): Promise<SipAgent> {
  const made = await SipAgent.open({ timers, tcp: true });
  open.push(made);
  return made;
}

function invite(from: SipAgent, to: SipAgent, transport: 'udp' | 'tcp' = 'udp'): OutgoingSession {
  return from.invite({
    uri: `sip:x@127.0.0.1:${to.port}${transport === 'tcp' ? ';transport=tcp' : ''}`,
    body: SDP,
  });
}

/** Starts a call and waits for its answer. */
function answered(call: OutgoingSession): Promise<SipResponse> {
  return new Promise((resolve) => {
    call.handlers.established = (message) => resolve(message as SipResponse);
    call.handlers.ended = ({ message }) => message?.kind === 'response' && resolve(message);
    call.start();
  });
}

/** Loses messages on their way out. */
function lose(from: SipAgent, rule: (text: string) => boolean): void {
  const { transport } = from.endpoint;
  const send = transport.send.bind(transport);
  transport.send = (text: string, target: Target, options) => {
    if (!rule(text)) send(text, target, options);
  };
}

describe.each(['udp', 'tcp'] as const)('a call over %s', (transport) => {
  it('is set up, renegotiated, and ended by either side', async () => {
    const [a, b] = [await agent(), await agent()];
    const ends: string[] = [];
    b.onInvite = (session) => {
      session.handlers.renegotiate = () => ({ status: 200, body: SDP });
      session.handlers.ended = ({ by }) => ends.push(by);
      session.progress(180);
      session.accept({ body: SDP });
    };
    for (const ender of ['caller', 'callee']) {
      const call = invite(a, b, transport);
      expect((await answered(call)).status).toBe(200);
      expect((await call.request('INVITE', { body: SDP })).body).toBe(SDP);
      expect((await call.request('INFO')).status).toBe(200);
      const ended = new Promise<void>((resolve) => {
        call.handlers.ended = () => resolve();
      });
      if (ender === 'caller') await call.bye();
      else b.liveSessions[0]?.hangup();
      await ended;
    }
    await soon(() => b.liveSessions.length).toBe(0);
    expect(ends).toEqual(['remote', 'local']);
  });

  it('is taken back by CANCEL: 487, and nothing is left', async () => {
    const [a, b] = [await agent(), await agent()];
    b.onInvite = (session) => session.progress(180);
    const call = invite(a, b, transport);
    call.handlers.provisional = () => call.cancel();
    expect((await answered(call)).status).toBe(487);
    expect(a.liveSessions.length + b.liveSessions.length).toBe(0);
  });
});

describe('over a network that loses', () => {
  it('one datagram of ten, calls are still set up and ended', async () => {
    const [a, b] = [await agent(), await agent()];
    b.onInvite = (session) => session.accept({ body: SDP });
    // Not every tenth: a rhythm could hit the same message each time.
    let seed = 7;
    const chance = () => {
      seed = (seed * 48271) % 2147483647;
      return seed / 2147483647 < 0.1;
    };
    for (const side of [a, b]) lose(side, chance);
    const calls = Array.from({ length: 30 }, () => invite(a, b));
    expect((await Promise.all(calls.map(answered))).map(({ status }) => status)).toEqual(Array(30).fill(200));
    expect((await Promise.all(calls.map((call) => call.bye()))).every(({ status }) => status === 200)).toBe(
      true,
    );
    await soon(() => b.liveSessions.length).toBe(0);
  });

  it('every ACK, the callee repeats its 200, gives up after 64*T1 and says BYE', async () => {
    const [a, b] = [await agent({ t1: 10, t2: 80, t4: 100 }), await agent({ t1: 10, t2: 80, t4: 100 })];
    b.onInvite = (session) => session.accept({ body: SDP });
    lose(a, (text) => text.startsWith('ACK'));
    let repeats = 0;
    lose(b, (text) => {
      if (text.startsWith('SIP/2.0 200') && text.includes('CSeq: 1 INVITE')) repeats++;
      return false;
    });
    const call = invite(a, b);
    await answered(call);
    await soon(() => call.state).toBe('ended');
    expect(repeats).toBeGreaterThan(4);
  });

  it('everything, the caller hears 408 after 64*T1', async () => {
    const [a, b] = [await agent({ t1: 5, t2: 40, t4: 50 }), await agent()];
    lose(a, () => true);
    expect((await answered(invite(a, b))).status).toBe(408);
  });
});

describe('an INVITE that comes twice', () => {
  it('as the same bytes makes one call', async () => {
    const [a, b] = [await agent(), await agent()];
    let calls = 0;
    b.onInvite = (session) => {
      calls++;
      setTimeout(() => session.accept({ body: SDP }), 30);
    };
    const call = invite(a, b);
    const answer = answered(call);
    await call.resend();
    expect((await answer).status).toBe(200);
    expect(calls).toBe(1);
  });

  it('by another path while the first is open is answered 482', async () => {
    const [a, b] = [await agent(), await agent()];
    b.onInvite = (session) => setTimeout(() => session.accept({ body: SDP }), 30);
    const call = invite(a, b);
    const answer = answered(call);
    expect((await call.resend({ branch: 'new' }))?.status).toBe(482);
    expect((await answer).status).toBe(200);
  });

  it('and is taken by two callees leaves one call: the other gets ACK and BYE', async () => {
    const [a, b, c] = [await agent(), await agent(), await agent()];
    for (const side of [b, c]) side.onInvite = (session) => session.accept({ body: SDP });
    const call = invite(a, b);
    await answered(call);
    await call.resend({ branch: 'new', target: { transport: 'udp', host: '127.0.0.1', port: c.port } });
    await soon(() => c.liveSessions.length).toBe(0);
    expect(call.otherAnswers.length).toBe(1);
    expect(b.liveSessions.length).toBe(1);
  });
});

describe('a request that does not fit', () => {
  it('is answered 481 without a dialog, 420 with Require, 405 when unknown', async () => {
    const [a, b] = [await agent(), await agent()];
    const uri = `sip:x@127.0.0.1:${b.port}`;
    expect((await a.request('BYE', uri, { to: `<${uri}>;tag=none` })).status).toBe(481);
    const picky = await a.request('OPTIONS', uri, { headers: { Require: '100rel' } });
    expect([picky.status, picky.headers.get('unsupported')]).toEqual([420, '100rel']);
    expect((await a.request('PUBLISH', uri)).headers.get('allow')).toContain('INVITE');
  });

  it('is answered 500 when its CSeq is older than the last', async () => {
    const [a, b] = [await agent(), await agent()];
    b.onInvite = (session) => session.accept({ body: SDP });
    const call = invite(a, b);
    await answered(call);
    await call.request('INFO');
    call.dialog.localSeq = 0;
    expect((await call.request('INFO')).status).toBe(500);
  });

  it('is answered 400 when a mandatory field is missing', async () => {
    const [a, b] = [await agent(), await agent()];
    const answers: string[] = [];
    a.endpoint.transport.onMessage = (message) => message.kind === 'response' && answers.push(message.reason);
    const via = `Via: SIP/2.0/UDP 127.0.0.1:${a.port};branch=z9hG4bKx`;
    const text = `INVITE sip:x@y SIP/2.0\r\n${via}\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCSeq: 1 INVITE\r\n\r\n`;
    a.endpoint.transport.send(text, { transport: 'udp', host: '127.0.0.1', port: b.port });
    await soon(() => answers).toContain('Missing or bad call-id');
  });
});

describe('behind a proxy that records its route', () => {
  it('each side sends in-dialog requests through it, the caller in reversed order', async () => {
    const [a, b] = [await agent(), await agent()];
    const seen: SipRequest[] = [];
    const proxy = await agent();
    proxy.endpoint.transport.onMessage = (message) => message.kind === 'request' && seen.push(message);
    const hop = `<sip:127.0.0.1:${proxy.port};lr;tn=acme>`;
    b.onInvite = (session) => session.accept({ body: SDP });
    const call = a.invite({
      uri: `sip:x@127.0.0.1:${b.port}`,
      body: SDP,
      headers: [['Record-Route', `${hop}, <sip:10.9.9.9;lr>`]],
    });
    await answered(call);
    void b.liveSessions[0]?.request('INFO');
    await soon(() => seen.at(-1)?.method).toBe('INFO');
    expect(seen.at(-1)?.headers.list('route')).toEqual([hop, '<sip:10.9.9.9;lr>']);
    expect(call.dialog.routes).toEqual(['<sip:10.9.9.9;lr>', hop]);
  });

  it('received and rport say where the request came from', async () => {
    const [a, b] = [await agent(), await agent()];
    const raw: string[] = [];
    lose(b, (text) => {
      raw.push(text);
      return false;
    });
    await a.request('OPTIONS', `sip:x@127.0.0.1:${b.port}`);
    const via = parseMessage(Buffer.from(raw[0] ?? ''))?.headers.get('via');
    expect(via).toContain(`received=127.0.0.1`);
    expect(via).toContain(`rport=${a.port}`);
  });
});
