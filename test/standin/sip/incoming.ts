import type { SipAgent } from './agent.ts';
import { Dialog } from './dialog.ts';
import { token } from './endpoint.ts';
import type { ExtraHeaders, SipRequest } from './message.ts';
import type { ServerTransaction } from './server-transaction.ts';
import { Session } from './session.ts';

interface AnswerOptions {
  reason?: string;
  headers?: ExtraHeaders;
  body?: string;
}

/** A call somebody made to us. */
export class IncomingSession extends Session {
  readonly dialog: Dialog;
  readonly transaction: ServerTransaction;
  private acked = false;
  private byeOnAck: { headers?: ExtraHeaders } | undefined;

  constructor(agent: SipAgent, transaction: ServerTransaction) {
    super(agent);
    this.transaction = transaction;
    this.dialog = Dialog.fromRequest(transaction.request, token(), 0);
    agent.track(this.dialog, this);
    transaction.onUnacknowledged = () => {
      if (this.state !== 'confirmed') return;
      this.acked = true;
      void this.request('BYE');
      this.finish({ by: 'timeout', status: 408 });
    };
  }

  get invite(): SipRequest {
    return this.transaction.request;
  }

  /** Sends a provisional response: 180, or 183 with SDP. */
  progress(status: number, options: AnswerOptions = {}): void {
    if (this.state === 'early') this.answer(this.transaction, { status, ...options });
  }

  /** Takes the call with 200; `body` is the SDP. */
  accept(options: AnswerOptions = {}): void {
    if (this.state !== 'early') return;
    this.state = 'confirmed';
    this.answer(this.transaction, { status: 200, ...options });
  }

  /** Refuses the call; status 300 to 699. */
  reject(status: number, options: AnswerOptions = {}): void {
    if (this.state !== 'early') return;
    this.answer(this.transaction, { status, ...options });
    this.finish({ by: 'local', status });
  }

  /** A CANCEL came before we answered. */
  cancelledByCaller(): void {
    if (this.state !== 'early') return;
    this.answer(this.transaction, { status: 487 });
    this.finish({ by: 'remote', status: 487 });
  }

  /** A callee may not send BYE before the ACK (RFC 3261 section 15): it is sent then. */
  override hangup(options: { status?: number; reason?: string; headers?: ExtraHeaders } = {}): void {
    if (this.state !== 'confirmed' || this.acked) super.hangup(options);
    else this.byeOnAck = options.headers === undefined ? {} : { headers: options.headers };
  }

  acknowledged(request: SipRequest): void {
    if (this.acked) {
      this.acknowledgedAgain(request);
      return;
    }
    this.acked = true;
    this.transaction.acknowledged();
    this.handlers.established?.(request);
    if (this.byeOnAck && this.state === 'confirmed') void this.bye(this.byeOnAck.headers);
  }

  override abandon(): void {
    super.abandon();
    this.transaction.terminate();
  }

  protected giveUp(status: number, reason?: string, headers?: ExtraHeaders): void {
    this.reject(status, {
      ...(reason === undefined ? {} : { reason }),
      ...(headers === undefined ? {} : { headers }),
    });
  }

  protected override closeUnanswered(): void {
    if (this.state === 'early') this.answer(this.transaction, { status: 487 });
    if (!this.acked) this.transaction.acknowledged();
  }
}
