import { cseqOf, Headers, type SipRequest, type SipResponse } from './message.ts';
import { formatUri, parseNameAddr, parseUri, type Target, tagOf, uriTarget } from './uri.ts';

/** The state both ends of a call share (RFC 3261 section 12). Pure: it builds and checks, it sends nothing. */
export class Dialog {
  readonly callId: string;
  readonly localTag: string;
  /** Empty until the far end has given one. */
  remoteTag: string;
  /** From and To values as we send them. */
  private readonly localValue: string;
  private remoteValue: string;
  localSeq: number;
  remoteSeq: number | undefined;
  remoteTarget: string;
  routes: string[];

  private constructor(init: {
    callId: string;
    local: string;
    remote: string;
    localSeq: number;
    remoteSeq?: number;
    remoteTarget: string;
    routes: string[];
  }) {
    this.callId = init.callId;
    this.localValue = init.local;
    this.remoteValue = init.remote;
    this.localTag = tagOf(init.local) ?? '';
    this.remoteTag = tagOf(init.remote) ?? '';
    this.localSeq = init.localSeq;
    this.remoteSeq = init.remoteSeq;
    this.remoteTarget = init.remoteTarget;
    this.routes = init.routes;
  }

  /** Key under which an agent keeps the dialog. Our tag alone names it: we made it unique. */
  static key(callId: string, localTag: string): string {
    return `${callId} ${localTag}`;
  }

  get key(): string {
    return Dialog.key(this.callId, this.localTag);
  }

  /** The dialog a callee has after giving its tag (12.1.1): routes in the order of the Record-Route. */
  static fromRequest(request: SipRequest, localTag: string, firstSeq: number): Dialog {
    const { headers } = request;
    return new Dialog({
      callId: headers.get('call-id') ?? '',
      local: `${headers.get('to')};tag=${localTag}`,
      remote: headers.get('from') ?? '',
      localSeq: firstSeq,
      remoteSeq: cseqOf(request).number,
      remoteTarget: contactUri(headers) ?? parseNameAddr(headers.get('from') ?? '').uri,
      routes: headers.list('record-route'),
    });
  }

  /** The dialog a caller has before any answer: it grows with each response. */
  static fromOwnInvite(request: SipRequest): Dialog {
    const { headers } = request;
    return new Dialog({
      callId: headers.get('call-id') ?? '',
      local: headers.get('from') ?? '',
      remote: headers.get('to') ?? '',
      localSeq: cseqOf(request).number,
      remoteTarget: request.uri,
      routes: headers.list('route'),
    });
  }

  /** Takes the far end's tag, contact and (reversed) route set from a response to our INVITE (12.1.2). */
  learn(response: SipResponse): void {
    const { headers } = response;
    this.remoteValue = headers.get('to') ?? this.remoteValue;
    this.remoteTag = tagOf(this.remoteValue) ?? '';
    if (!this.remoteTag) return;
    this.remoteTarget = contactUri(headers) ?? this.remoteTarget;
    this.routes = headers.list('record-route').reverse();
  }

  /** A re-INVITE, UPDATE or its 2xx may move the far end (12.2). */
  refresh(headers: Headers): void {
    this.remoteTarget = contactUri(headers) ?? this.remoteTarget;
  }

  /** False for a request older than one already seen (12.2.2): to be answered 500. */
  accepts(request: SipRequest): boolean {
    const { number } = cseqOf(request);
    if (!(number >= 0)) return false;
    if (request.method === 'ACK') return true;
    if (this.remoteSeq !== undefined && number <= this.remoteSeq) return false;
    this.remoteSeq = number;
    return true;
  }

  /** A request inside the dialog (12.2.1.1), loose or strict routed. `seq` is for the ACK, which reuses its INVITE's. */
  request(method: string, seq?: number): { request: SipRequest; target: Target | undefined } {
    const headers = new Headers();
    const first = this.routes[0];
    const firstUri = first === undefined ? undefined : parseNameAddr(first).uri;
    const loose = firstUri === undefined || parseUri(firstUri)?.params.has('lr') === true;
    const uri = loose ? this.remoteTarget : withoutHeaders(firstUri);
    const routes = loose ? this.routes : [...this.routes.slice(1), `<${this.remoteTarget}>`];
    for (const route of routes) headers.add('Route', route);
    headers.add('Max-Forwards', '70');
    headers.add('From', this.localValue);
    headers.add('To', this.remoteValue);
    headers.add('Call-ID', this.callId);
    headers.add('CSeq', `${seq ?? ++this.localSeq} ${method}`);
    const request: SipRequest = { kind: 'request', method, uri, headers, body: '' };
    return { request, target: uriTarget(firstUri ?? this.remoteTarget) };
  }
}

function contactUri(headers: Headers): string | undefined {
  const contact = headers.list('contact')[0];
  return contact === undefined || contact === '*' ? undefined : parseNameAddr(contact).uri;
}

function withoutHeaders(text: string): string {
  const uri = parseUri(text);
  if (!uri) return text;
  uri.headers = undefined;
  return formatUri(uri);
}
