import type { SipAgent } from '../sip/agent.ts';
import type { Credentials } from '../sip/digest.ts';
import type { ExtraHeaders, SipRequest, SipResponse } from '../sip/message.ts';
import { OutgoingSession, type ResendOptions } from '../sip/outgoing.ts';
import type { SessionEnd } from '../sip/session.ts';
import { parseNameAddr, parseTarget, parseUri, type Target } from '../sip/uri.ts';
import { audio } from './audio.ts';

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
