import { randomBytes } from 'node:crypto';
import { all, build, header, methodOf, type SipMessage, tagOf, uriOf } from './message.ts';
import type { Peer, Received } from './peer.ts';

export interface Address {
  readonly address: string;
  readonly port: number;
}

export interface InviteOptions {
  readonly number?: string;
  /** Request-URI and To of a new dialog; default: the number at the edge. */
  readonly to?: string;
  readonly from?: string;
  readonly body?: string;
  readonly contact?: string;
  readonly headers?: ReadonlyArray<readonly [string, string]>;
}

const id = (bytes = 6) => randomBytes(bytes).toString('hex');

/** One side of one dialog, driven by hand: it makes requests; what they do is the test's business. */
export class Dialog {
  readonly callId = `${id()}@test`;
  localTag = id(4);
  remoteTag = '';
  routes: string[] = [];
  target: string;
  cseq = 1;
  readonly peer: Peer;
  readonly edge: Address;
  readonly local: string;
  readonly remote: string;

  constructor(peer: Peer, edge: Address, options: InviteOptions = {}) {
    this.peer = peer;
    this.edge = edge;
    this.target = options.to ?? `sip:${options.number ?? '4930123456'}@${edge.address}:${edge.port}`;
    this.local = options.from ?? `sip:4989777@${peer.address}`;
    this.remote = this.target;
  }

  /** A request of this dialog as text; a new branch each time unless one is given. */
  request(method: string, options: InviteOptions & { branch?: string; cseq?: number } = {}): string {
    const to = this.remoteTag ? `<${this.remote}>;tag=${this.remoteTag}` : `<${this.remote}>`;
    const headers: Array<readonly [string, string]> = [
      ['Via', `SIP/2.0/${this.peer.via};branch=z9hG4bK${options.branch ?? id()};rport`],
      ...this.routes.map((route) => ['Route', route] as const),
      ['Max-Forwards', '70'],
      ['From', `<${this.local}>;tag=${this.localTag}`],
      ['To', to],
      ['Call-ID', this.callId],
      ['CSeq', `${options.cseq ?? this.cseq} ${method}`],
      ['Contact', `<${options.contact ?? this.peer.contact}>`],
      ...(options.headers ?? []),
      ...(options.body ? [['Content-Type', 'application/sdp'] as const] : []),
    ];
    return build(`${method} ${this.target} SIP/2.0`, headers, options.body);
  }

  send(method: string, options: InviteOptions & { branch?: string; cseq?: number } = {}): void {
    this.peer.send(this.request(method, options), this.edge);
  }

  /** The next reply of at least `least` to a request with this CSeq method in this dialog. */
  reply(method: string, least = 200, timeoutMs?: number): Promise<Received> {
    return this.peer.take(
      `a reply to ${method}`,
      (m) => (m.status ?? 0) >= least && methodOf(m) === method && header(m, 'Call-ID') === this.callId,
      timeoutMs,
    );
  }

  /** Sends the ACK of a 2xx; the first one makes tag and route set (RFC 3261 section 12.1.2). */
  confirm(ok: SipMessage, options: InviteOptions = {}): void {
    if (!this.remoteTag) this.routes = all(ok, 'Record-Route').reverse();
    this.remoteTag = tagOf(header(ok, 'To'));
    this.target = uriOf(header(ok, 'Contact'));
    this.send('ACK', options);
  }

  /** The ACK of a refusal: same branch, no route set. */
  acknowledgeRefusal(reply: SipMessage): void {
    const branch = /branch=z9hG4bK([^;]+)/.exec(header(reply, 'Via'))?.[1] ?? '';
    const text = this.request('ACK', { branch }).replace(/^To: .*$/m, `To: ${header(reply, 'To')}`);
    this.peer.send(text, this.edge);
  }

  /** The other side of a dialog that `invite` made at `peer` (RFC 3261 section 12.1.1). */
  static answering(peer: Peer, edge: Address, invite: SipMessage, localTag: string): Dialog {
    const dialog = new Dialog(peer, edge);
    return Object.assign(Object.create(Dialog.prototype), dialog, {
      callId: header(invite, 'Call-ID'),
      localTag,
      remoteTag: tagOf(header(invite, 'From')),
      routes: all(invite, 'Record-Route'),
      target: uriOf(header(invite, 'Contact')),
      local: uriOf(header(invite, 'To')),
      remote: uriOf(header(invite, 'From')),
      cseq: 100,
    });
  }
}

/** Sends an INVITE and returns its final reply, acknowledged. */
export async function call(
  dialog: Dialog,
  options: InviteOptions & { timeoutMs?: number } = {},
): Promise<SipMessage> {
  dialog.send('INVITE', options);
  const { message } = await dialog.reply('INVITE', 200, options.timeoutMs);
  if ((message.status ?? 0) < 300) dialog.confirm(message);
  else dialog.acknowledgeRefusal(message);
  return message;
}
