import type { SipAgent } from './agent.ts';
import { type ClientTransaction, cancelFor } from './client-transaction.ts';
import { Dialog } from './dialog.ts';
import type { Credentials } from './digest.ts';
import { localResponse, token } from './endpoint.ts';
import { type ExtraHeaders, Headers, headerPairs, type SipRequest, type SipResponse } from './message.ts';
import { Session } from './session.ts';
import { formatNameAddr, parseNameAddr, type Target, tagOf, uriTarget } from './uri.ts';

export interface InviteOptions {
  /** Request URI. */
  uri: string;
  /** From value, with or without tag; ours by default. */
  from?: string;
  /** To value; the request URI by default. */
  to?: string;
  /** Outbound proxy; else the address in the Route or the URI. */
  target?: Target;
  headers?: ExtraHeaders;
  /** The SDP offer. */
  body?: string;
  callId?: string;
  credentials?: Credentials;
}

/** How to send an INVITE once more: the same bytes, or the same call in a new transaction. */
export interface ResendOptions {
  /** 'same' (default) repeats the bytes; 'new' is a new transaction of the same call. */
  branch?: 'same' | 'new';
  /** With a new branch: keep CSeq (default) or count on. */
  seq?: 'same' | 'next';
  /** Another proxy than the first time. */
  target?: Target;
}

/** A call we make. It is sent by `start`. */
export class OutgoingSession extends Session {
  readonly dialog: Dialog;
  readonly invite: SipRequest;
  readonly target: Target;
  /** The response that ended the INVITE: its 200 or its failure. */
  final: SipResponse | undefined;
  /** Answers of further callees that took the same call: each was ended with ACK and BYE. */
  readonly otherAnswers: SipResponse[] = [];
  /** INVITE transactions so far: one more for each challenge or resend. */
  attempts = 0;
  private transaction: ClientTransaction | undefined;
  private readonly unanswered = new Set<ClientTransaction>();
  private cancelling = false;
  private rang = false;
  private challenges = 0;

  constructor(agent: SipAgent, options: InviteOptions) {
    super(agent);
    this.credentials = options.credentials;
    const target = options.target ?? uriTarget(options.uri);
    if (!target) throw new RangeError(`no address in ${options.uri}`);
    this.target = target;
    this.invite = makeInvite(agent, options, target);
    this.dialog = Dialog.fromOwnInvite(this.invite);
    agent.track(this.dialog, this);
  }

  start(): void {
    this.transaction = this.send(this.copyOfInvite(), this.target, () => {});
  }

  /** Sends the INVITE again. Resolves with the final response of that copy; a repeat of the same bytes has none of its own. */
  resend(options: ResendOptions = {}): Promise<SipResponse | undefined> {
    if (options.branch !== 'new') {
      this.transaction?.transmit();
      return Promise.resolve(undefined);
    }
    const copy = this.copyOfInvite();
    if (options.seq === 'next') copy.headers.set('CSeq', `${++this.dialog.localSeq} INVITE`);
    return new Promise((resolve) => {
      this.send(copy, options.target ?? this.target, resolve);
    });
  }

  /** Takes the call back: CANCEL once the far end has said anything (RFC 3261 9.1), BYE when it has answered by then. */
  cancel(): void {
    if (this.state === 'confirmed') this.hangup();
    if (this.state !== 'early' || this.cancelling) return;
    this.cancelling = true;
    if (this.rang) this.sendCancel();
  }

  acknowledged(request: SipRequest): void {
    this.acknowledgedAgain(request);
  }

  override abandon(): void {
    super.abandon();
    for (const transaction of this.unanswered) transaction.terminate();
  }

  protected giveUp(): void {
    this.cancel();
  }

  /** The INVITE as first written, without Via: a transaction adds its own. */
  private copyOfInvite(): SipRequest {
    return { ...this.invite, headers: this.invite.headers.clone() };
  }

  private send(
    request: SipRequest,
    target: Target,
    done: (response: SipResponse) => void,
  ): ClientTransaction {
    this.attempts++;
    const transaction: ClientTransaction = this.agent.endpoint.request(request, target, {
      response: (response) => {
        if (response.status < 200) {
          this.provisional(response);
          return;
        }
        this.unanswered.delete(transaction);
        if (response.status < 300) this.answered(response, request);
        else if (this.retryWithCredentials(response, request, target, done)) return;
        else this.failed(response);
        done(response);
      },
      failed: (reason) => {
        this.unanswered.delete(transaction);
        const response = localResponse(reason === 'timeout' ? 408 : 503);
        this.failed(response);
        done(response);
      },
    });
    this.unanswered.add(transaction);
    return transaction;
  }

  private provisional(response: SipResponse): void {
    if (this.state !== 'early') return;
    if (!this.rang) {
      this.rang = true;
      if (this.cancelling) this.sendCancel();
    }
    if (response.status > 100) this.dialog.learn(response);
    this.handlers.provisional?.(response);
  }

  private answered(response: SipResponse, request: SipRequest): void {
    const seq = Number.parseInt(request.headers.get('cseq') ?? '1', 10);
    if (this.final && tagOf(this.final.headers.get('to')) !== tagOf(response.headers.get('to'))) {
      this.endOther(response, request, seq);
      return;
    }
    const first = this.final === undefined;
    this.final = response;
    if (first) this.dialog.learn(response);
    this.sendAck(seq);
    if (!first || this.state !== 'early') return;
    this.state = 'confirmed';
    this.handlers.established?.(response);
    // The CANCEL crossed the answer.
    if (this.cancelling) this.hangup();
  }

  /** Another callee took the call too (13.2.2.4): acknowledge and end it. */
  private endOther(response: SipResponse, request: SipRequest, seq: number): void {
    const dialog = Dialog.fromOwnInvite(request);
    dialog.learn(response);
    const ack = dialog.request('ACK', seq);
    const bye = dialog.request('BYE');
    if (!ack.target || !bye.target) return;
    this.agent.endpoint.ack(ack.request, ack.target);
    const known = this.otherAnswers.some((other) => other.headers.get('to') === response.headers.get('to'));
    if (known) return;
    this.otherAnswers.push(response);
    void this.agent.exchange(bye.request, bye.target);
  }

  private failed(response: SipResponse): void {
    // Another copy of the INVITE may still be answered.
    if (this.state !== 'early' || this.unanswered.size > 0) return;
    this.final = response;
    const timeout = response.headers.has('x-local') && response.status === 408;
    this.finish({ by: timeout ? 'timeout' : 'remote', status: response.status, message: response });
  }

  private retryWithCredentials(
    response: SipResponse,
    request: SipRequest,
    target: Target,
    done: (response: SipResponse) => void,
  ): boolean {
    const extra = this.answerChallenge(response, 'INVITE', request.uri);
    if (!extra || this.cancelling || this.challenges >= 2) return false;
    this.challenges++;
    const again = this.copyOfInvite();
    again.headers.set('CSeq', `${++this.dialog.localSeq} INVITE`);
    again.headers.add(...extra);
    this.transaction = this.send(again, target, done);
    return true;
  }

  private sendCancel(): void {
    for (const transaction of this.unanswered) {
      this.agent.endpoint.cancel(cancelFor(transaction.request), transaction.target, {
        response: () => {},
        failed: () => {},
      });
    }
  }
}

function makeInvite(agent: SipAgent, options: InviteOptions, target: Target): SipRequest {
  const from = parseNameAddr(options.from ?? `<sip:${agent.user}@${agent.host}:${agent.port}>`);
  if (!from.params.has('tag')) from.params.set('tag', token());
  const headers = new Headers();
  headers.add('Max-Forwards', '70');
  headers.add('From', formatNameAddr(from));
  headers.add('To', options.to ?? `<${options.uri}>`);
  headers.add('Call-ID', options.callId ?? `${token()}@${agent.host}`);
  headers.add('CSeq', '1 INVITE');
  headers.add('Contact', agent.contact(target.transport));
  headers.add('Allow', 'INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, REFER, NOTIFY');
  headers.add('User-Agent', agent.product);
  for (const [name, value] of headerPairs(options.headers)) headers.set(name, value);
  if (options.body) headers.add('Content-Type', 'application/sdp');
  return { kind: 'request', method: 'INVITE', uri: options.uri, headers, body: options.body ?? '' };
}
