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
//   await uac.options('127.0.0.1:5060');  uac.sendRaw('...', '127.0.0.1:5060');  uac.close();
//
// Node that answered: header X-Callmesh-Node of the 18x or 200, else the Contact's address. Calls that come in are
// answered 200 unless `uac.onCall` is set. `close` forgets live calls without a word: hang up first.
import { SipAgent } from './sip/agent.ts';
import type { Credentials } from './sip/digest.ts';
import type { IncomingSession } from './sip/incoming.ts';
import type { ExtraHeaders, SipRequest, SipResponse } from './sip/message.ts';
import { OutgoingSession, type ResendOptions } from './sip/outgoing.ts';
import { formatSdp } from './sip/sdp.ts';
import type { SessionEnd } from './sip/session.ts';
import type { SipTimers } from './sip/timers.ts';
import { parseNameAddr, parseTarget, parseUri, type Target } from './sip/uri.ts';

export type { SessionEnd } from './sip/session.ts';
export { parseTarget } from './sip/uri.ts';

export interface CallOptions {
  /** Where the INVITE is sent: "127.0.0.1:5060" or "127.0.0.1:5060/tcp"; else the address in `to`. */
  proxy?: string | Target;
  /** Request URI and To: "sip:+4930222@acme.example". */
  to: string;
  /** From: "sip:+4930111@acme.example" or a name-addr; the Uac's user and address by default. */
  from?: string;
  callId?: string;
  headers?: ExtraHeaders;
  credentials?: Credentials;
  /** The offer; false sends none; a plain audio offer by default. */
  sdp?: string | false;
  /** CANCEL when there is no final answer by then; 0 (default) waits as long as the transaction does. */
  timeoutMs?: number;
}

/** What became of an INVITE. */
export interface Outcome {
  callId: string;
  /** Final status; 408 and 503 may be ours (`local`): no answer, no connection. */
  status: number;
  reason: string;
  local: boolean;
  /** INVITE to first 18x and to the final answer, milliseconds. */
  ringMs?: number;
  setupMs: number;
  node: string;
  contact: string;
  retryAfter?: number;
  /** INVITEs sent: 2 after a challenge. */
  attempts: number;
  /** Every provisional status and the final one, in order. */
  statuses: number[];
  response: SipResponse;
}

export class UacCall {
  readonly session: OutgoingSession;
  readonly callId: string;
  /** The final answer of the INVITE. */
  readonly outcome: Promise<Outcome>;
  /** The end of the call, also when it was never answered. */
  readonly ended: Promise<SessionEnd>;
  /** Requests that came inside the dialog. */
  readonly received: SipRequest[] = [];
  private readonly agent: SipAgent;

  constructor(agent: SipAgent, options: CallOptions) {
    this.agent = agent;
    const proxy = typeof options.proxy === 'string' ? parseTarget(options.proxy) : options.proxy;
    this.session = new OutgoingSession(agent, {
      uri: options.to,
      ...(options.from === undefined
        ? {}
        : { from: options.from.includes('<') ? options.from : `<${options.from}>` }),
      ...(proxy ? { target: proxy } : {}),
      ...(options.headers ? { headers: options.headers } : {}),
      ...(options.callId ? { callId: options.callId } : {}),
      ...(options.credentials ? { credentials: options.credentials } : {}),
      ...(options.sdp === false ? {} : { body: options.sdp ?? audio(agent, 'sendrecv') }),
    });
    this.callId = this.session.dialog.callId;
    this.ended = new Promise((resolve) => {
      this.session.handlers.ended = resolve;
    });
    this.outcome = this.follow(options.timeoutMs ?? 0);
    this.session.handlers.renegotiate = (request) => {
      this.received.push(request);
      return request.method === 'UPDATE' && !request.body
        ? { status: 200 }
        : { status: 200, body: audio(agent, 'sendrecv') };
    };
    this.session.handlers.request = (request) => {
      this.received.push(request);
      return { status: 200 };
    };
    this.session.start();
  }

  get live(): boolean {
    return this.session.state !== 'ended';
  }

  /** Requests inside the dialog; each resolves with its final response. */
  request(
    method: string,
    options: { headers?: ExtraHeaders; body?: string; contentType?: string } = {},
  ): Promise<SipResponse> {
    return this.session.request(method, options);
  }

  reinvite(sdp: string = audio(this.agent, 'sendrecv')): Promise<SipResponse> {
    return this.request('INVITE', { body: sdp });
  }

  hold(): Promise<SipResponse> {
    return this.reinvite(audio(this.agent, 'sendonly'));
  }

  update(sdp = ''): Promise<SipResponse> {
    return this.request('UPDATE', sdp ? { body: sdp } : {});
  }

  info(body: string, contentType = 'application/dtmf-relay'): Promise<SipResponse> {
    return this.request('INFO', { body, contentType });
  }

  refer(to: string): Promise<SipResponse> {
    return this.request('REFER', { headers: { 'Refer-To': `<${to}>` } });
  }

  bye(): Promise<SipResponse> {
    return this.session.bye();
  }

  cancel(): void {
    this.session.cancel();
  }

  /** The INVITE once more: the same bytes, or with branch "new" the same call in another transaction. */
  resend(options: ResendOptions = {}): Promise<SipResponse | undefined> {
    return this.session.resend(options);
  }

  private follow(timeoutMs: number): Promise<Outcome> {
    const started = performance.now();
    const statuses: number[] = [];
    let ringMs: number | undefined;
    let node = '';
    const { session } = this;
    session.handlers.provisional = (response) => {
      statuses.push(response.status);
      if (response.status === 100) return;
      ringMs ??= performance.now() - started;
      node ||= response.headers.get('x-callmesh-node') ?? '';
    };
    return new Promise((resolve) => {
      const timer = timeoutMs > 0 ? setTimeout(() => session.cancel(), timeoutMs) : undefined;
      const done = (response: SipResponse) => {
        clearTimeout(timer);
        const contact = parseNameAddr(response.headers.list('contact')[0] ?? '').uri;
        const uri = parseUri(contact);
        const retry = Number.parseInt(response.headers.get('retry-after') ?? '', 10);
        resolve({
          callId: session.dialog.callId,
          status: response.status,
          reason: response.reason,
          local: response.headers.has('x-local'),
          ...(ringMs === undefined ? {} : { ringMs }),
          setupMs: performance.now() - started,
          node:
            response.headers.get('x-callmesh-node') ??
            (node || (uri ? `${uri.host}:${uri.port ?? 5060}` : '')),
          contact,
          ...(Number.isNaN(retry) ? {} : { retryAfter: retry }),
          attempts: session.attempts,
          statuses: [...statuses, response.status],
          response,
        });
      };
      session.handlers.established = (message) => done(message as SipResponse);
      void this.ended.then((end) => end.message?.kind === 'response' && done(end.message));
    });
  }
}

export interface RunOptions {
  count: number;
  /** Calls per second. */
  rate: number;
  /** BYE so many milliseconds after the answer; 0 keeps them up: hang up `batch.calls` yourself. */
  holdMs: number;
  call: (index: number) => CallOptions;
  /** Called with each answer, e.g. to act inside the dialog before the BYE. */
  onAnswer?: (call: UacCall, outcome: Outcome) => void | Promise<void>;
}

export interface Batch {
  calls: UacCall[];
  outcomes: Outcome[];
  /** Answered, and (with holdMs) ended by our BYE answered 200. */
  completed: number;
  failed: Outcome[];
  byNode: Map<string, number>;
  byStatus: Map<number, number>;
  setupMs: { p50: number; p95: number; max: number };
}

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

function summary(calls: UacCall[], outcomes: Outcome[], completed: number): Batch {
  const byNode = new Map<string, number>();
  const byStatus = new Map<number, number>();
  for (const { node, status } of outcomes) {
    byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
    if (status < 300) byNode.set(node, (byNode.get(node) ?? 0) + 1);
  }
  const times = outcomes.map(({ setupMs }) => setupMs).sort((a, b) => a - b);
  const at = (part: number) => times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0;
  return {
    calls,
    outcomes,
    completed,
    failed: outcomes.filter(({ status }) => status >= 300),
    byNode,
    byStatus,
    setupMs: { p50: at(0.5), p95: at(0.95), max: times.at(-1) ?? 0 },
  };
}

let sdpVersion = 1;

function audio(agent: SipAgent, direction: 'sendrecv' | 'sendonly'): string {
  sdpVersion++;
  return formatSdp({
    address: agent.host,
    port: 40000,
    id: 1,
    version: sdpVersion,
    direction,
    dtmf: 101,
    owner: 'uac',
  });
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
