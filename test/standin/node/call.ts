import { IncomingSession } from '../sip/incoming.ts';
import type { SipRequest } from '../sip/message.ts';
import type { InDialogAnswer, SessionEnd } from '../sip/session.ts';
import { causeOfStatus } from './causes.ts';
import type { Channel, Leg } from './channel.ts';
import { LegMedia } from './media.ts';

/** Ties one SIP dialog to one channel: what comes over SIP becomes state and events, and the other way round. */
export class CallLeg {
  readonly channel: Channel;
  readonly session: Leg;
  readonly media: LegMedia;
  private readonly node: string;

  constructor(channel: Channel, session: Leg, host: string, node: string) {
    this.channel = channel;
    this.session = session;
    this.node = node;
    this.media = new LegMedia(channel, host);
    channel.session = session;
    session.handlers.ended = (end) => this.ended(end);
    session.handlers.renegotiate = (request) => this.renegotiate(request);
    session.handlers.request = (request) => this.inDialog(request);
  }

  /** Sends 180 on a call that came in. */
  ring(): void {
    if (!(this.session instanceof IncomingSession) || this.channel.answered || !this.channel.alive) return;
    this.session.progress(180, { headers: this.nodeHeader() });
    this.channel.progress(false);
  }

  /** Sends 183 with SDP on a call that came in. */
  earlyMedia(): void {
    if (!(this.session instanceof IncomingSession) || this.channel.answered || !this.channel.alive) return;
    const body = this.media.answer(this.session.invite.body);
    if (body === undefined) return;
    this.session.progress(183, { headers: this.nodeHeader(), body });
    this.channel.progress(true);
  }

  /** Sends 200 on a call that came in; 488 when no codec is common. */
  answer(): void {
    const { session, channel } = this;
    if (!(session instanceof IncomingSession) || channel.answered || !channel.alive) return;
    const body = this.media.answer(session.invite.body);
    if (body === undefined) {
      channel.hangup('INCOMPATIBLE_DESTINATION');
      return;
    }
    channel.set('sip_to_tag', session.dialog.localTag);
    session.accept({ headers: this.nodeHeader(), body });
    channel.answer();
  }

  private nodeHeader(): [string, string][] {
    return [['X-Callmesh-Node', this.node]];
  }

  private ended(end: SessionEnd): void {
    const { channel } = this;
    if (!channel.alive) return;
    channel.set('sip_term_status', String(end.status));
    channel.set('proto_specific_hangup_cause', `sip:${end.status}`);
    if (end.by === 'local') channel.hangup('NORMAL_CLEARING', { byFarEnd: true });
    else if (end.by === 'timeout') channel.hangup('RECOVERY_ON_TIMER_EXPIRE', { byFarEnd: true });
    else {
      if (!channel.answered && channel.direction === 'outbound') {
        channel.set('sip_invite_failure_status', String(end.status));
      }
      channel.hangup(causeOfStatus(end.status), { byFarEnd: true });
    }
  }

  private renegotiate(request: SipRequest): InDialogAnswer {
    if (request.method === 'UPDATE' && request.body === '') return { status: 200 };
    const body = this.media.answer(request.body);
    if (body === undefined) return { status: 488 };
    return { status: 200, body, headers: this.nodeHeader() };
  }

  private inDialog(request: SipRequest): InDialogAnswer {
    if (request.method === 'INFO') this.info(request);
    else if (request.method === 'REFER') return this.refer(request);
    return { status: 200, headers: this.nodeHeader() };
  }

  /** DTMF as application/dtmf-relay ("Signal=5") or application/dtmf ("5"). */
  private info(request: SipRequest): void {
    const type = request.headers.get('content-type')?.toLowerCase() ?? '';
    if (!type.startsWith('application/dtmf')) return;
    const digit =
      /^Signal\s*=\s*(\S)/im.exec(request.body)?.[1] ?? /^\s*([0-9*#A-D])\s*$/i.exec(request.body)?.[1];
    const duration = Number(/^Duration\s*=\s*(\d+)/im.exec(request.body)?.[1] ?? 250);
    if (digit) this.channel.dtmf(digit, duration);
  }

  /** Accepts a transfer and reports it done (RFC 3515); where to is only remembered, as nothing is dialled. */
  private refer(request: SipRequest): InDialogAnswer {
    const to = request.headers.get('refer-to');
    if (!to) return { status: 400, reason: 'Missing Refer-To' };
    this.channel.set('sip_refer_to', to);
    const notify = (state: string, fragment: string) =>
      this.session.request('NOTIFY', {
        headers: [
          ['Event', 'refer'],
          ['Subscription-State', state],
        ],
        body: `${fragment}\r\n`,
        contentType: 'message/sipfrag;version=2.0',
      });
    setImmediate(async () => {
      if (this.session.state !== 'confirmed') return;
      await notify('active;expires=60', 'SIP/2.0 100 Trying');
      if (this.channel.alive) await notify('terminated;reason=noresource', 'SIP/2.0 200 OK');
    });
    return { status: 202, headers: this.nodeHeader() };
  }
}
