// A scripted SIP caller for tests and the demo. One Uac is one UDP (or TCP) address; it makes any number of calls.
//
//   const uac = await Uac.open({ user: '+4930111' });                // binds 127.0.0.1, a free port
//   const call = uac.call({ proxy: '127.0.0.1:5060', to: 'sip:+4930222@acme.example', headers: { 'X-A': 'b' },
//                           credentials: { username: 'pbx', password: 's' } });      // 401/407 answered by itself
//   const outcome = await call.outcome;    // final answer: status, reason, setupMs, node, retryAfter, attempts ...
//   await call.reinvite(); await call.hold(); await call.update(); await call.info('Signal=5\r\nDuration=100\r\n');
//   await call.refer('sip:+49301@x'); await call.request('MESSAGE', {...});   // each resolves with the final response
//   await call.bye(); (or call.cancel() before the answer);  const end = await call.ended;
//   call.resend();                                     // the very same INVITE bytes once more
//   await call.resend({ branch: 'new', seq: 'next', target: parseTarget('127.0.0.1:5061') });  // same call, new transaction
//   call.received                                      // what came inside the dialog: BYE, NOTIFY, re-INVITE, INFO ...
//
//   const batch = await uac.run({ count: 200, rate: 50, holdMs: 500, call: (i) => ({ proxy, to: `sip:${i}@acme` }) });
//   batch.completed, batch.failed, batch.outcomes, batch.byNode (Map node -> calls), batch.setupMs (p50, p95, max)
//
//   const ear = await Ear.open(host);                  // audio of a call: sends silence, counts and listens
//   uac.call({ ..., sdp: ear.offer });  ear.answered(outcome.response.body);  ear.received, ear.loud, ear.sent
//
//   await uac.register({ proxy, aor: 'sip:alice@acme.example', credentials });
//   await uac.options('127.0.0.1:5060');  uac.sendRaw('...', '127.0.0.1:5060');  uac.close();
//
// Node that answered: header X-Callmesh-Node of the 18x or 200, else the Contact's address. Calls that come in are
// answered 200 unless `uac.onCall` is set. `close` forgets live calls without a word: hang up first.
import { SipAgent } from './sip/agent.ts';
import { authorize, type Credentials, parseChallenge } from './sip/digest.ts';
import { token } from './sip/endpoint.ts';
import type { IncomingSession } from './sip/incoming.ts';
import type { SipResponse } from './sip/message.ts';
import type { SipTimers } from './sip/timers.ts';
import { parseTarget, parseUri } from './sip/uri.ts';
import { audio } from './uac/audio.ts';
import { type Batch, type RunOptions, summary } from './uac/batch.ts';
import { type CallOptions, type Outcome, UacCall } from './uac/call.ts';

export type { SessionEnd } from './sip/session.ts';
export { parseTarget } from './sip/uri.ts';
export type { Batch, RunOptions } from './uac/batch.ts';
export type { CallOptions, Outcome, UacCall } from './uac/call.ts';
export { Ear } from './uac/ear.ts';

export class Uac {
  readonly agent: SipAgent;

  private constructor(agent: SipAgent) {
    this.agent = agent;
    agent.onInvite = (session) => session.accept({ body: audio(agent, 'sendrecv') });
  }

  static async open(
    options: { host?: string; port?: number; tcp?: boolean; user?: string; timers?: SipTimers } = {},
  ): Promise<Uac> {
    return new Uac(
      await SipAgent.open({ ...options, user: options.user ?? 'caller', product: 'callmesh-uac' }),
    );
  }

  /** "127.0.0.1:port". */
  get address(): string {
    return `${this.agent.host}:${this.agent.port}`;
  }

  /** What to do with calls that come in. */
  set onCall(handler: (session: IncomingSession) => void) {
    this.agent.onInvite = handler;
  }

  /** Sends an INVITE. Throws RangeError when neither proxy nor `to` is an address. */
  call(options: CallOptions): UacCall {
    return new UacCall(this.agent, options);
  }

  /** Places calls at a rate and resolves when the last has ended (with holdMs 0: has been answered). */
  async run(options: RunOptions): Promise<Batch> {
    const calls: UacCall[] = [];
    const outcomes: Outcome[] = [];
    const started = performance.now();
    const good: boolean[] = [];
    const one = async (index: number) => {
      const call = this.call(options.call(index));
      calls.push(call);
      const outcome = await call.outcome;
      outcomes.push(outcome);
      if (outcome.status >= 300) return;
      await options.onAnswer?.(call, outcome);
      if (options.holdMs > 0) {
        await sleep(options.holdMs);
        good[index] = call.live && (await call.bye()).status === 200;
      } else good[index] = true;
    };
    const running: Promise<void>[] = [];
    for (let index = 0; index < options.count; index++) {
      const due = started + (index * 1000) / options.rate;
      // Timers are no finer than 1 ms: what is due goes out together, so the rate holds above 1000 too.
      if (due > performance.now()) await sleep(Math.ceil(due - performance.now()));
      running.push(one(index));
    }
    await Promise.all(running);
    return summary(calls, outcomes, good.filter(Boolean).length);
  }

  /** OPTIONS; resolves with the answer (408 when none comes). */
  options(proxy: string): Promise<SipResponse> {
    const target = parseTarget(proxy);
    return this.agent.request('OPTIONS', `sip:${target.host}:${target.port}`, { target });
  }

  /** REGISTER of this address, and once more with credentials when asked for them; resolves with the last answer. */
  async register(options: {
    proxy: string;
    /** "sip:alice@acme.example". */
    aor: string;
    credentials: Credentials;
    expires?: number;
  }): Promise<SipResponse> {
    const { proxy, aor, credentials, expires = 60 } = options;
    const uri = `sip:${parseUri(aor)?.host}`;
    const callId = token();
    const send = (seq: number, more: Record<string, string> = {}) =>
      this.agent.request('REGISTER', uri, {
        ...{ target: parseTarget(proxy), from: `<${aor}>`, to: `<${aor}>`, callId, seq },
        headers: { Expires: String(expires), ...more },
      });
    const first = await send(1);
    const challenge = parseChallenge(first.headers.get('www-authenticate') ?? '');
    if (first.status !== 401 || !challenge) return first;
    return send(2, {
      Authorization: authorize(challenge, credentials, { method: 'REGISTER', uri }, token()),
    });
  }

  /** Any request outside a dialog. */
  request(
    method: string,
    uri: string,
    options: Parameters<SipAgent['request']>[2] = {},
  ): Promise<SipResponse> {
    return this.agent.request(method, uri, options);
  }

  /** Bytes as they are, e.g. malformed ones. */
  sendRaw(data: string, proxy: string): void {
    this.agent.endpoint.transport.send(data, parseTarget(proxy));
  }

  close(): void {
    this.agent.destroy();
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
