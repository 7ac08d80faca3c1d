import { randomBytes } from 'node:crypto';
import { type ClientHandlers, ClientTransaction } from './client-transaction.ts';
import { formatMessage, reasonOf } from './format.ts';
import {
  cseqOf,
  type ExtraHeaders,
  Headers,
  headerPairs,
  type SipMessage,
  type SipRequest,
  type SipResponse,
} from './message.ts';
import { missingField } from './parse.ts';
import { ServerTransaction } from './server-transaction.ts';
import { RFC_TIMERS, type SipTimers } from './timers.ts';
import type { Peer, SipTransport } from './transport.ts';
import { formatVia, parseVia, type Target, tagOf } from './uri.ts';

const COOKIE = 'z9hG4bK';

/** Random text for tags, branches and Call-IDs: 64 bits (RFC 3261 19.3 wants 32). */
export function token(): string {
  return randomBytes(8).toString('hex');
}

/** The transaction layer over one transport: matches, repeats, answers what nobody handles. */
export class SipEndpoint {
  /** A new request other than ACK and CANCEL. */
  onRequest: (transaction: ServerTransaction) => void = (transaction) => this.respond(transaction, 501);
  /** An ACK that belongs to no transaction: it confirms a 200. */
  onAck: (request: SipRequest) => void = () => {};
  /** A CANCEL for an INVITE not answered yet; the CANCEL itself has been answered. */
  onCancel: (invite: ServerTransaction, cancel: SipRequest) => void = () => {};
  readonly timers: SipTimers;
  readonly transport: SipTransport;
  private readonly servers = new Map<string, ServerTransaction>();
  private readonly clients = new Map<string, ClientTransaction>();
  /** By Call-ID, From tag and CSeq: which transaction a request came in first. */
  private readonly firstCopies = new Map<string, ServerTransaction>();

  constructor(transport: SipTransport, timers: SipTimers = RFC_TIMERS) {
    this.transport = transport;
    this.timers = timers;
    transport.onMessage = (message, peer) => this.receive(message, peer);
  }

  get host(): string {
    return this.transport.host;
  }

  get port(): number {
    return this.transport.port;
  }

  /** Sends a request in a transaction of its own; Via is added here. */
  request(
    request: SipRequest,
    target: Target,
    handlers: ClientHandlers,
    branch = `${COOKIE}${token()}`,
  ): ClientTransaction {
    const params = new Map<string, string | undefined>([
      ['branch', branch],
      ['rport', undefined],
    ]);
    const transport = target.transport.toUpperCase();
    request.headers.prepend('Via', formatVia({ transport, host: this.host, port: this.port, params }));
    return this.start(`${branch} ${request.method}`, request, target, handlers);
  }

  /** Sends a CANCEL, whose Via (and so whose branch) is that of its INVITE. */
  cancel(cancel: SipRequest, target: Target, handlers: ClientHandlers): ClientTransaction {
    const branch = parseVia(cancel.headers.list('via')[0] ?? '')?.params.get('branch');
    return this.start(`${branch} CANCEL`, cancel, target, handlers);
  }

  /** Sends an ACK to a 200, which has no transaction and no answer. Returns its bytes, for repeating. */
  ack(request: SipRequest, target: Target): string {
    const params = new Map<string, string | undefined>([
      ['branch', `${COOKIE}${token()}`],
      ['rport', undefined],
    ]);
    const transport = target.transport.toUpperCase();
    request.headers.prepend('Via', formatVia({ transport, host: this.host, port: this.port, params }));
    const text = formatMessage(request);
    this.transport.send(text, target);
    return text;
  }

  /** Answers with no more than what RFC 3261 8.2.6 wants, plus what is given. */
  respond(
    transaction: ServerTransaction,
    status: number,
    options: { reason?: string; toTag?: string; headers?: ExtraHeaders; body?: string } = {},
  ): SipResponse {
    const response = makeResponse(transaction.request, status, options);
    transaction.respond(response);
    return response;
  }

  /** A second copy of a request that is still being handled, by another path (8.2.2.2). */
  isMerged(transaction: ServerTransaction): boolean {
    const first = this.firstCopies.get(requestId(transaction.request));
    return first !== undefined && first !== transaction && first.open;
  }

  /** Ends every transaction and closes the sockets; nothing is sent. */
  destroy(): void {
    for (const transaction of [...this.servers.values(), ...this.clients.values()]) transaction.terminate();
    this.transport.destroy();
  }

  private start(
    key: string,
    request: SipRequest,
    target: Target,
    handlers: ClientHandlers,
  ): ClientTransaction {
    const context = {
      timers: this.timers,
      send: (text: string, to: Target, failed: (error: Error) => void) =>
        this.transport.send(text, to, { failed }),
      ended: () => this.clients.delete(key),
    };
    const transaction = new ClientTransaction(key, request, target, context, handlers);
    this.clients.set(key, transaction);
    transaction.start();
    return transaction;
  }

  private receive(message: SipMessage, peer: Peer): void {
    if (message.kind === 'response') this.receiveResponse(message);
    else this.receiveRequest(message, peer);
  }

  private receiveResponse(response: SipResponse): void {
    const via = parseVia(response.headers.list('via')[0] ?? '');
    this.clients.get(`${via?.params.get('branch')} ${cseqOf(response).method}`)?.receive(response);
  }

  private receiveRequest(request: SipRequest, peer: Peer): void {
    const via = stampVia(request, peer);
    if (!via) return;
    const key = transactionKey(request, via.sentBy, via.branch);
    const known = this.servers.get(key);
    if (request.method === 'ACK') {
      if (known) known.acknowledged();
      else this.onAck(request);
      return;
    }
    if (known) {
      known.retransmitted();
      return;
    }
    const id = requestId(request);
    const transaction: ServerTransaction = new ServerTransaction(key, request, peer, {
      timers: this.timers,
      send: (text, response, to) => this.sendResponse(text, response, to),
      ended: () => {
        this.servers.delete(key);
        if (this.firstCopies.get(id) === transaction) this.firstCopies.delete(id);
      },
    });
    this.servers.set(key, transaction);
    if (!this.firstCopies.get(id)?.open) this.firstCopies.set(id, transaction);
    const missing = missingField(request) ?? (cseqOf(request).method === request.method ? undefined : 'cseq');
    if (missing) this.respond(transaction, 400, { reason: `Missing or bad ${missing}` });
    else if (request.method === 'CANCEL') this.receiveCancel(transaction, key);
    else this.onRequest(transaction);
  }

  private receiveCancel(transaction: ServerTransaction, key: string): void {
    const invite = this.servers.get(key.replace(/ CANCEL$/, ' INVITE'));
    this.respond(transaction, invite ? 200 : 481);
    if (invite?.open) this.onCancel(invite, transaction.request);
  }

  /** RFC 3261 18.2.2 and RFC 3581: back where the request came from. */
  private sendResponse(text: string, response: SipResponse, peer: Peer): void {
    if (peer.transport === 'tcp') {
      this.transport.send(text, peer, peer.connection ? { connection: peer.connection } : {});
      return;
    }
    const via = parseVia(response.headers.list('via')[0] ?? '');
    const port = via?.params.has('rport') ? peer.port : (via?.port ?? 5060);
    this.transport.send(text, { transport: 'udp', host: peer.host, port });
  }
}

/** Builds a response to a request; To gets `toTag` unless it has a tag. */
function makeResponse(
  request: SipRequest,
  status: number,
  options: { reason?: string; toTag?: string; headers?: ExtraHeaders; body?: string } = {},
): SipResponse {
  const headers = new Headers();
  for (const via of request.headers.all('via')) headers.add('Via', via);
  if (status > 100 && status < 300) {
    for (const route of request.headers.all('record-route')) headers.add('Record-Route', route);
  }
  const to = request.headers.get('to') ?? '';
  const tagged = status === 100 || tagOf(to) !== undefined ? to : `${to};tag=${options.toTag ?? token()}`;
  headers.add('From', request.headers.get('from') ?? '');
  headers.add('To', tagged);
  headers.add('Call-ID', request.headers.get('call-id') ?? '');
  headers.add('CSeq', request.headers.get('cseq') ?? '');
  for (const [name, value] of headerPairs(options.headers)) headers.add(name, value);
  const body = options.body ?? '';
  return { kind: 'response', status, reason: options.reason ?? reasonOf(status), headers, body };
}

/** Writes received and rport into the topmost Via (18.2.1, RFC 3581); undefined when there is no usable Via. */
function stampVia(request: SipRequest, peer: Peer): { sentBy: string; branch: string } | undefined {
  const field = request.headers.fields.find((candidate) => candidate.key === 'via');
  const values = field ? request.headers.list('via') : [];
  const via = parseVia(values[0] ?? '');
  if (!field || !via) return undefined;
  const sentBy = `${via.host}:${via.port ?? 5060}`.toLowerCase();
  if (via.host !== peer.host || via.params.has('rport')) via.params.set('received', peer.host);
  if (via.params.has('rport')) via.params.set('rport', String(peer.port));
  // Only the first value of this field changes; others of the same line stay.
  const rest = field.value.includes(',') ? splitFirst(field.value) : '';
  field.value = formatVia(via) + rest;
  return { sentBy, branch: via.params.get('branch') ?? '' };
}

function splitFirst(value: string): string {
  let quoted = false;
  for (let i = 0; i < value.length; i++) {
    if (value[i] === '"') quoted = !quoted;
    else if (value[i] === ',' && !quoted) return value.slice(i);
  }
  return '';
}

/** 17.2.3; the ACK of a failure has its INVITE's key. Without the cookie (RFC 2543) the request itself is the key. */
function transactionKey(request: SipRequest, sentBy: string, branch: string): string {
  const method = request.method === 'ACK' ? 'INVITE' : request.method;
  if (branch.startsWith(COOKIE)) return `${branch} ${sentBy} ${method}`;
  return `${sentBy} ${requestId(request)} ${request.uri} ${method}`;
}

function requestId(request: SipRequest): string {
  const { headers } = request;
  return `${headers.get('call-id')} ${tagOf(headers.get('from'))} ${Number.parseInt(headers.get('cseq') ?? '', 10)}`;
}

/** A response nobody sent: what a caller is told when its transaction failed (RFC 3261 8.1.3.1). */
export function localResponse(status: number): SipResponse {
  const headers = new Headers();
  headers.add('X-Local', 'true');
  return { kind: 'response', status, reason: reasonOf(status), headers, body: '' };
}
