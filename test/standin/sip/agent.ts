import { Dialog } from './dialog.ts';
import { localResponse, SipEndpoint, token } from './endpoint.ts';
import { IncomingSession } from './incoming.ts';
import { type ExtraHeaders, Headers, headerPairs, type SipRequest, type SipResponse } from './message.ts';
import { type InviteOptions, OutgoingSession } from './outgoing.ts';
import type { ServerTransaction } from './server-transaction.ts';
import type { Session } from './session.ts';
import type { SipTimers } from './timers.ts';
import { SipTransport } from './transport.ts';
import { formatNameAddr, parseNameAddr, type Target, tagOf, uriTarget } from './uri.ts';

export interface AgentOptions {
  /** An address of this machine; 127.0.0.1 by default. */
  host?: string;
  /** 0 (default) takes any free port. */
  port?: number;
  /** Listen on TCP as well. */
  tcp?: boolean;
  timers?: SipTimers;
  /** User-Agent of requests, Server of responses. */
  product?: string;
  /** User part of the Contact. */
  user?: string;
}

const ALLOW = 'INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, INFO, UPDATE, REGISTER, REFER, NOTIFY';

/** A SIP user agent: transactions below, sessions above. Both the stand-in node and the test caller are one. */
export class SipAgent {
  /** A new call; unless it is answered or rejected it rings for ever. */
  onInvite: (session: IncomingSession) => void = (session) => session.reject(480);
  /** While true, new calls get no word, not even 100. */
  ignoresInvites: () => boolean = () => false;
  /** Any other request outside a dialog; returns the status to answer with. */
  onOther: (
    request: SipRequest,
    transaction: ServerTransaction,
  ) => number | { status: number; headers?: ExtraHeaders } = (request) =>
    request.method === 'OPTIONS' ? 200 : 405;
  readonly endpoint: SipEndpoint;
  readonly product: string;
  readonly user: string;
  private readonly sessions = new Map<string, Session>();
  private readonly ringing = new WeakMap<ServerTransaction, IncomingSession>();

  private constructor(endpoint: SipEndpoint, options: AgentOptions) {
    this.endpoint = endpoint;
    this.product = options.product ?? 'callmesh-test';
    this.user = options.user ?? 'test';
    endpoint.onRequest = (transaction) => this.dispatch(transaction);
    endpoint.onAck = (request) => this.sessionOf(request)?.acknowledged(request);
    endpoint.onCancel = (invite) => this.ringing.get(invite)?.cancelledByCaller();
  }

  static async open(options: AgentOptions = {}): Promise<SipAgent> {
    const transport = await SipTransport.open({
      host: options.host ?? '127.0.0.1',
      port: options.port ?? 0,
      ...(options.tcp === undefined ? {} : { tcp: options.tcp }),
    });
    return new SipAgent(new SipEndpoint(transport, options.timers), options);
  }

  get host(): string {
    return this.endpoint.host;
  }

  get port(): number {
    return this.endpoint.port;
  }

  /** Our Contact, as reached over this transport. */
  contact(transport: 'udp' | 'tcp'): string {
    return `<sip:${this.user}@${this.host}:${this.port}${transport === 'tcp' ? ';transport=tcp' : ''}>`;
  }

  get liveSessions(): Session[] {
    return [...this.sessions.values()];
  }

  /** Calls out. */
  invite(options: InviteOptions): OutgoingSession {
    return new OutgoingSession(this, options);
  }

  /** A request outside any dialog: OPTIONS, REGISTER, MESSAGE. Resolves with a final response; local 408/503 when there is none. */
  request(
    method: string,
    uri: string,
    options: {
      to?: string;
      from?: string;
      target?: Target;
      headers?: ExtraHeaders;
      body?: string;
      callId?: string;
      seq?: number;
      contact?: string;
    } = {},
  ): Promise<SipResponse> {
    const target = options.target ?? uriTarget(uri);
    if (!target) return Promise.reject(new RangeError(`no address in ${uri}`));
    const headers = new Headers();
    const from = parseNameAddr(options.from ?? `<sip:${this.user}@${this.host}:${this.port}>`);
    if (!from.params.has('tag')) from.params.set('tag', token());
    headers.add('Max-Forwards', '70');
    headers.add('From', formatNameAddr(from));
    headers.add('To', options.to ?? `<${uri}>`);
    headers.add('Call-ID', options.callId ?? `${token()}@${this.host}`);
    headers.add('CSeq', `${options.seq ?? 1} ${method}`);
    headers.add('Contact', options.contact ?? this.contact(target.transport));
    headers.add('User-Agent', this.product);
    for (const [name, value] of headerPairs(options.headers)) headers.add(name, value);
    return this.exchange({ kind: 'request', method, uri, headers, body: options.body ?? '' }, target);
  }

  /** One transaction as a promise of its final response. */
  exchange(request: SipRequest, target: Target): Promise<SipResponse> {
    return new Promise((resolve) => {
      this.endpoint.request(request, target, {
        response: (response) => response.status >= 200 && resolve(response),
        failed: (reason) => resolve(localResponse(reason === 'timeout' ? 408 : 503)),
      });
    });
  }

  track(dialog: Dialog, session: Session): void {
    this.sessions.set(dialog.key, session);
  }

  forget(dialog: Dialog): void {
    this.sessions.delete(dialog.key);
  }

  /** Closes the sockets at once; the far ends are told nothing. */
  destroy(): void {
    for (const session of this.sessions.values()) session.abandon();
    this.sessions.clear();
    this.endpoint.destroy();
  }

  private sessionOf(request: SipRequest): Session | undefined {
    const tag = tagOf(request.headers.get('to'));
    if (tag === undefined) return undefined;
    const session = this.sessions.get(Dialog.key(request.headers.get('call-id') ?? '', tag));
    const remoteTag = tagOf(request.headers.get('from'));
    return session && (session.dialog.remoteTag === '' || session.dialog.remoteTag === remoteTag)
      ? session
      : undefined;
  }

  private dispatch(transaction: ServerTransaction): void {
    const { request } = transaction;
    const server = { Server: this.product };
    if (request.headers.has('require')) {
      const headers = { Unsupported: request.headers.list('require').join(', '), ...server };
      this.endpoint.respond(transaction, 420, { headers });
    } else if (tagOf(request.headers.get('to')) !== undefined) {
      const session = this.sessionOf(request);
      if (session) session.receive(transaction);
      else this.endpoint.respond(transaction, 481, { headers: server });
    } else if (this.endpoint.isMerged(transaction)) {
      this.endpoint.respond(transaction, 482, { headers: server });
    } else if (request.method === 'INVITE' && this.ignoresInvites()) {
      // Forgotten at once: each repetition is looked at anew, and nothing piles up.
      transaction.terminate();
    } else if (request.method === 'INVITE') {
      this.endpoint.respond(transaction, 100);
      const session = new IncomingSession(this, transaction);
      this.ringing.set(transaction, session);
      this.onInvite(session);
    } else {
      const answer = this.onOther(request, transaction);
      const { status, headers } =
        typeof answer === 'number' ? { status: answer, headers: undefined } : answer;
      const extra: [string, string][] = [['Allow', ALLOW], ['Server', this.product], ...headerPairs(headers)];
      this.endpoint.respond(transaction, status, { headers: extra });
    }
  }
}
