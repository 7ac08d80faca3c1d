import type { SipAgent } from './agent.ts';
import type { Dialog } from './dialog.ts';
import { authorize, type Credentials, parseChallenge } from './digest.ts';
import { localResponse, token } from './endpoint.ts';
import { type ExtraHeaders, headerPairs, type SipRequest, type SipResponse } from './message.ts';
import type { ServerTransaction } from './server-transaction.ts';
import type { Target } from './uri.ts';

export type SessionState = 'early' | 'confirmed' | 'ended';

/** How a call ended. */
export interface SessionEnd {
  /** 'local' we ended it, 'remote' the far end did, 'timeout' nobody answered or acknowledged. */
  by: 'local' | 'remote' | 'timeout';
  /** SIP status that ended it: 200 for a BYE, else the failure of the INVITE. */
  status: number;
  /** The request or response that ended it, if there is one. */
  message?: SipRequest | SipResponse;
}

export interface InDialogAnswer {
  status: number;
  reason?: string;
  headers?: ExtraHeaders;
  body?: string;
}

/** What a call's owner wants to hear of; each may be left out. */
export interface SessionHandlers {
  /** 180, 183 on a call we made. */
  provisional?(response: SipResponse): void;
  /** The 200 (call we made) or the ACK (call we took). */
  established?(message: SipResponse | SipRequest): void;
  ended?(end: SessionEnd): void;
  /** re-INVITE or UPDATE; the body of the answer is its SDP. */
  renegotiate?(request: SipRequest): InDialogAnswer;
  /** INFO, NOTIFY, REFER, MESSAGE and whatever else comes inside the dialog. */
  request?(request: SipRequest): InDialogAnswer;
}

/** What callers and callees have in common once there is a dialog. */
export abstract class Session {
  readonly agent: SipAgent;
  abstract readonly dialog: Dialog;
  readonly handlers: SessionHandlers = {};
  credentials: Credentials | undefined;
  state: SessionState = 'early';
  private readonly pending = new Set<ServerTransaction>();
  private ownInviteRunning = false;

  constructor(agent: SipAgent) {
    this.agent = agent;
  }

  abstract acknowledged(request: SipRequest): void;
  /** Ends an unanswered call in the way its direction asks for. */
  protected abstract giveUp(status: number, reason?: string, headers?: ExtraHeaders): void;

  /** Ends the call whatever its state: BYE, CANCEL or a failure response. */
  hangup(options: { status?: number; reason?: string; headers?: ExtraHeaders } = {}): void {
    if (this.state === 'ended') return;
    if (this.state === 'early') this.giveUp(options.status ?? 480, options.reason, options.headers);
    else void this.bye(options.headers);
  }

  /** Sends BYE. Resolves with its response; the session has ended already. */
  bye(headers?: ExtraHeaders): Promise<SipResponse> {
    const answer = this.request('BYE', headers === undefined ? {} : { headers });
    this.finish({ by: 'local', status: 200 });
    return answer;
  }

  /** Sends a request inside the dialog, with credentials again when challenged. Resolves with the final response. */
  async request(
    method: string,
    options: { headers?: ExtraHeaders; body?: string; contentType?: string } = {},
  ): Promise<SipResponse> {
    if (method === 'INVITE') this.ownInviteRunning = true;
    try {
      let response = await this.once(method, options);
      for (let tries = 0; tries < 2; tries++) {
        const extra = this.answerChallenge(response, method);
        if (!extra) break;
        response = await this.once(method, { ...options, headers: [...headerPairs(options.headers), extra] });
      }
      if (response.status < 300 && (method === 'INVITE' || method === 'UPDATE'))
        this.dialog.refresh(response.headers);
      if (response.status === 481 || (response.status === 408 && method !== 'INFO')) {
        this.finish({ by: 'timeout', status: response.status, message: response });
      }
      return response;
    } finally {
      if (method === 'INVITE') this.ownInviteRunning = false;
    }
  }

  /** An in-dialog request came in. */
  receive(transaction: ServerTransaction): void {
    const { request } = transaction;
    if (!this.dialog.accepts(request)) this.answer(transaction, { status: 500, reason: 'CSeq out of order' });
    else if (this.state === 'ended') this.answer(transaction, { status: 481 });
    else if (request.method === 'BYE') {
      this.answer(transaction, { status: 200 });
      this.closeUnanswered();
      this.finish({ by: 'remote', status: 200, message: request });
    } else if (request.method === 'INVITE' || request.method === 'UPDATE') this.renegotiate(transaction);
    else this.answer(transaction, this.handlers.request?.(request) ?? { status: 200 });
  }

  /** The far end hung up while our answer to its INVITE was still due. */
  protected closeUnanswered(): void {}

  /** Forgets the call without a word to anybody. */
  abandon(): void {
    this.state = 'ended';
    for (const transaction of this.pending) transaction.terminate();
    this.agent.forget(this.dialog);
  }

  protected finish(end: SessionEnd): void {
    if (this.state === 'ended') return;
    this.state = 'ended';
    // Late requests of this dialog are answered 481; a late 200 is still acknowledged by its transaction.
    this.agent.forget(this.dialog);
    this.handlers.ended?.(end);
  }

  protected answer(transaction: ServerTransaction, answer: InDialogAnswer): void {
    const headers: [string, string][] = [];
    if (transaction.request.method !== 'BYE')
      headers.push(['Contact', this.agent.contact(transaction.peer.transport)]);
    headers.push(['Server', this.agent.product], ...headerPairs(answer.headers));
    if (answer.body) headers.push(['Content-Type', 'application/sdp']);
    this.agent.endpoint.respond(transaction, answer.status, {
      toTag: this.dialog.localTag,
      headers,
      ...(answer.reason === undefined ? {} : { reason: answer.reason }),
      ...(answer.body === undefined ? {} : { body: answer.body }),
    });
  }

  /** An Authorization field for a 401 or 407, when we have credentials. */
  protected answerChallenge(
    response: SipResponse,
    method: string,
    uri = this.dialog.remoteTarget,
  ): [string, string] | undefined {
    const proxy = response.status === 407;
    if (!this.credentials || (response.status !== 401 && !proxy)) return undefined;
    const fields = response.headers.all(proxy ? 'proxy-authenticate' : 'www-authenticate');
    const challenge = fields.map(parseChallenge).find((found) => found !== undefined);
    if (!challenge) return undefined;
    const value = authorize(challenge, this.credentials, { method, uri }, token());
    return [proxy ? 'Proxy-Authorization' : 'Authorization', value];
  }

  /** One offer at a time, in both directions (14.2): what to answer while there is another. */
  private negotiating(): InDialogAnswer | undefined {
    if (this.ownInviteRunning) return { status: 491 };
    if (this.state === 'early' || this.pending.size > 0)
      return { status: 500, headers: { 'Retry-After': '1' } };
    return undefined;
  }

  private renegotiate(transaction: ServerTransaction): void {
    const { request } = transaction;
    const busy = request.method === 'INVITE' ? this.negotiating() : undefined;
    if (busy) {
      this.answer(transaction, busy);
      return;
    }
    this.dialog.refresh(request.headers);
    const answer = this.handlers.renegotiate?.(request) ?? {
      status: request.method === 'INVITE' ? 488 : 200,
    };
    if (request.method === 'INVITE' && answer.status < 300) {
      this.pending.add(transaction);
      transaction.onUnacknowledged = () => this.pending.delete(transaction) && this.hangup();
    }
    this.answer(transaction, answer);
  }

  /** An ACK for a re-INVITE we answered; false when none is waiting. */
  protected acknowledgedAgain(request: SipRequest): boolean {
    const seq = Number.parseInt(request.headers.get('cseq') ?? '', 10);
    for (const transaction of this.pending) {
      if (Number.parseInt(transaction.request.headers.get('cseq') ?? '', 10) !== seq) continue;
      transaction.acknowledged();
      this.pending.delete(transaction);
      return true;
    }
    return false;
  }

  private once(
    method: string,
    options: { headers?: ExtraHeaders; body?: string; contentType?: string },
  ): Promise<SipResponse> {
    const { request, target } = this.dialog.request(method);
    if (!target) return Promise.reject(new RangeError(`no address in ${this.dialog.remoteTarget}`));
    if (method !== 'BYE') request.headers.add('Contact', this.agent.contact(target.transport));
    request.headers.add('User-Agent', this.agent.product);
    for (const [name, value] of headerPairs(options.headers)) request.headers.add(name, value);
    if (options.body) {
      request.headers.add('Content-Type', options.contentType ?? 'application/sdp');
      request.body = options.body;
    }
    return this.exchange(request, target);
  }

  private exchange(request: SipRequest, target: Target): Promise<SipResponse> {
    if (request.method !== 'INVITE') return this.agent.exchange(request, target);
    const seq = this.dialog.localSeq;
    return new Promise((resolve) => {
      this.agent.endpoint.request(request, target, {
        response: (response) => {
          if (response.status < 200) return;
          if (response.status < 300) {
            this.dialog.refresh(response.headers);
            this.sendAck(seq);
          }
          resolve(response);
        },
        failed: (reason) => resolve(localResponse(reason === 'timeout' ? 408 : 503)),
      });
    });
  }

  /** Acknowledges a 200; called again for each repeated 200. */
  protected sendAck(seq: number): void {
    const { request, target } = this.dialog.request('ACK', seq);
    if (target) this.agent.endpoint.ack(request, target);
  }
}
