import { formatMessage } from './format.ts';
import { Headers, type SipRequest, type SipResponse } from './message.ts';
import { type SipTimers, TimerSet } from './timers.ts';
import type { Target } from './uri.ts';

export interface ClientContext {
  timers: SipTimers;
  send(text: string, target: Target, failed: (error: Error) => void): void;
  ended(transaction: ClientTransaction): void;
}

export interface ClientHandlers {
  /** Each provisional response and each 200 to INVITE, repeated ones included; any other final response once. */
  response(response: SipResponse): void;
  /** No final response in 64*T1 ("timeout") or no way to send ("transport"). */
  failed(reason: 'timeout' | 'transport'): void;
}

type State = 'calling' | 'proceeding' | 'accepted' | 'completed' | 'terminated';

/** Client side of one request: RFC 3261 17.1.1 (INVITE, with RFC 6026) and 17.1.2 (everything else). */
export class ClientTransaction {
  readonly key: string;
  readonly request: SipRequest;
  readonly target: Target;
  private state: State = 'calling';
  private readonly text: string;
  private readonly context: ClientContext;
  private readonly handlers: ClientHandlers;
  private readonly timers = new TimerSet();
  private acknowledgement: string | undefined;

  constructor(
    key: string,
    request: SipRequest,
    target: Target,
    context: ClientContext,
    handlers: ClientHandlers,
  ) {
    this.key = key;
    this.request = request;
    this.target = target;
    this.context = context;
    this.handlers = handlers;
    this.text = formatMessage(request);
  }

  start(): void {
    const { t1, t2 } = this.context.timers;
    if (this.target.transport === 'udp') {
      this.timers.repeat('repeat', t1, this.invite ? 64 * t1 : t2, () => this.transmit());
    }
    this.timers.start('timeout', 64 * t1, () => this.fail('timeout'));
    this.transmit();
  }

  /** Sends the very same bytes once more, as a caller whose timer fired. */
  transmit(): void {
    this.context.send(this.text, this.target, () => this.fail('transport'));
  }

  receive(response: SipResponse): void {
    if (this.state === 'terminated') return;
    if (response.status < 200) this.provisional(response);
    else if (this.invite) this.finalToInvite(response);
    else if (this.state !== 'completed') {
      this.state = 'completed';
      this.timers.stopAll();
      this.linger(this.context.timers.t4);
      this.handlers.response(response);
    }
  }

  terminate(): void {
    if (this.state === 'terminated') return;
    this.state = 'terminated';
    this.timers.stopAll();
    this.context.ended(this);
  }

  private get invite(): boolean {
    return this.request.method === 'INVITE';
  }

  private provisional(response: SipResponse): void {
    if (this.state !== 'calling' && this.state !== 'proceeding') return;
    this.state = 'proceeding';
    if (this.invite) {
      this.timers.stop('repeat');
      this.timers.stop('timeout');
    }
    this.handlers.response(response);
  }

  private finalToInvite(response: SipResponse): void {
    if (response.status < 300) {
      if (this.state === 'completed') return;
      if (this.state !== 'accepted') {
        this.timers.stopAll();
        this.timers.start('linger', 64 * this.context.timers.t1, () => this.terminate());
      }
      this.state = 'accepted';
      this.handlers.response(response);
      return;
    }
    if (this.state === 'accepted') return;
    this.acknowledgement ??= formatMessage(ackFor(this.request, response));
    this.context.send(this.acknowledgement, this.target, () => {});
    if (this.state === 'completed') return;
    this.state = 'completed';
    this.timers.stopAll();
    this.linger(64 * this.context.timers.t1);
    this.handlers.response(response);
  }

  private fail(reason: 'timeout' | 'transport'): void {
    if (this.state !== 'calling' && this.state !== 'proceeding') return;
    this.terminate();
    this.handlers.failed(reason);
  }

  private linger(ms: number): void {
    if (this.target.transport === 'tcp') this.terminate();
    else this.timers.start('linger', ms, () => this.terminate());
  }
}

/** The ACK to a failure belongs to the INVITE's transaction: same branch, To of the response (17.1.1.3). */
function ackFor(invite: SipRequest, response: SipResponse): SipRequest {
  return follower(invite, 'ACK', response.headers.get('to') ?? invite.headers.get('to') ?? '');
}

/** The CANCEL of a request: same branch, everything else as in the request (9.1). */
export function cancelFor(invite: SipRequest): SipRequest {
  return follower(invite, 'CANCEL', invite.headers.get('to') ?? '');
}

function follower(invite: SipRequest, method: string, to: string): SipRequest {
  const headers = new Headers();
  headers.add('Via', invite.headers.list('via')[0] ?? '');
  for (const route of invite.headers.all('route')) headers.add('Route', route);
  headers.add('Max-Forwards', '70');
  headers.add('From', invite.headers.get('from') ?? '');
  headers.add('To', to);
  headers.add('Call-ID', invite.headers.get('call-id') ?? '');
  headers.add('CSeq', `${Number.parseInt(invite.headers.get('cseq') ?? '0', 10)} ${method}`);
  return { kind: 'request', method, uri: invite.uri, headers, body: '' };
}
