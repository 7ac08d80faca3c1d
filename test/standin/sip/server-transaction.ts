import { formatMessage } from './format.ts';
import type { SipRequest, SipResponse } from './message.ts';
import { type SipTimers, TimerSet } from './timers.ts';
import type { Peer } from './transport.ts';

export interface ServerContext {
  timers: SipTimers;
  send(text: string, response: SipResponse, peer: Peer): void;
  ended(transaction: ServerTransaction): void;
}

type State = 'trying' | 'proceeding' | 'accepted' | 'completed' | 'confirmed' | 'terminated';

/**
 * Server side of one request: RFC 3261 17.2.1 (INVITE, with RFC 6026's
 * Accepted state) and 17.2.2 (everything else). It also repeats a 200 to INVITE
 * until the ACK (13.3.1.4), which in the RFC is the core's work, because here it
 * is the same timer.
 */
export class ServerTransaction {
  readonly key: string;
  readonly request: SipRequest;
  readonly peer: Peer;
  /** Called when no ACK came for the final response in 64*T1. */
  onUnacknowledged: () => void = () => {};
  private state: State;
  private last: { text: string; response: SipResponse } | undefined;
  private readonly context: ServerContext;
  private readonly timers = new TimerSet();

  constructor(key: string, request: SipRequest, peer: Peer, context: ServerContext) {
    this.key = key;
    this.request = request;
    this.peer = peer;
    this.context = context;
    this.state = request.method === 'INVITE' ? 'proceeding' : 'trying';
  }

  /** True until a final response has been given. */
  get open(): boolean {
    return this.state === 'trying' || this.state === 'proceeding';
  }

  /** Sends a response; a second final response is not sent. */
  respond(response: SipResponse): void {
    if (!this.open) return;
    this.last = { text: formatMessage(response), response };
    if (response.status < 200) {
      this.state = 'proceeding';
    } else if (this.request.method !== 'INVITE') {
      this.state = 'completed';
      this.linger(this.reliable ? 0 : 64 * this.context.timers.t1);
    } else {
      this.state = response.status < 300 ? 'accepted' : 'completed';
      this.repeatUntilAck(response.status < 300);
    }
    this.resend();
  }

  /** The same request came again. */
  retransmitted(): void {
    // RFC 6026: in Accepted the timer alone repeats the 200.
    if (this.state === 'proceeding' || this.state === 'completed') this.resend();
  }

  /** The ACK came: stop repeating the final response. */
  acknowledged(): void {
    if (this.state === 'completed') {
      this.timers.stopAll();
      this.state = 'confirmed';
      this.linger(this.reliable ? 0 : this.context.timers.t4);
    } else if (this.state === 'accepted') {
      this.timers.stop('repeat');
      this.timers.stop('unacknowledged');
    }
  }

  terminate(): void {
    if (this.state === 'terminated') return;
    this.state = 'terminated';
    this.timers.stopAll();
    this.context.ended(this);
  }

  private get reliable(): boolean {
    return this.peer.transport === 'tcp';
  }

  private resend(): void {
    if (this.last) this.context.send(this.last.text, this.last.response, this.peer);
  }

  private repeatUntilAck(success: boolean): void {
    const { t1, t2 } = this.context.timers;
    // A 200 is repeated over TCP too: proxies between may use UDP.
    if (success || !this.reliable) this.timers.repeat('repeat', t1, t2, () => this.resend());
    this.timers.start('unacknowledged', 64 * t1, () => {
      this.terminate();
      this.onUnacknowledged();
    });
    if (success) this.timers.start('linger', 64 * t1 + 1, () => this.terminate());
  }

  private linger(ms: number): void {
    if (ms === 0) this.terminate();
    else this.timers.start('linger', ms, () => this.terminate());
  }
}
