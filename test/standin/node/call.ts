import { IncomingSession } from '../sip/incoming.ts';
import type { SipRequest } from '../sip/message.ts';
import type { InDialogAnswer, SessionEnd } from '../sip/session.ts';
import { parseNameAddr, parseUri } from '../sip/uri.ts';
import { causeOfStatus } from './causes.ts';
import type { Channel, Leg } from './channel.ts';
import type { Action } from './dialplan.ts';
import { LegMedia } from './media.ts';
import type { StandinNode } from './node.ts';
import { Program } from './program.ts';
import { Recordings } from './recording.ts';
import type { Sound } from './sound.ts';

/** Digits that wait to be read; more are dropped. */
const MOST_DIGITS = 64;

/** Ties one SIP dialog to one channel: what comes over SIP becomes state and events, and the other way round. */
export class CallLeg {
  readonly channel: Channel;
  readonly session: Leg;
  readonly media: LegMedia;
  readonly recordings: Recordings;
  /** What plays to it now. */
  readonly sounds = new Set<Sound>();
  /** Variables that legs it calls get too. */
  readonly exported = new Map<string, string>();
  /** Digits that came and were not read yet, and who waits for one. */
  digits = '';
  onDigit: () => void = () => {};
  private readonly node: StandinNode;
  private program: Program | undefined;
  /** What was broadcast to it and has not ended, in order. */
  private readonly asides: Program[] = [];

  constructor(node: StandinNode, channel: Channel, session: Leg) {
    this.channel = channel;
    this.session = session;
    this.node = node;
    this.media = new LegMedia(channel, node.agent.host);
    this.recordings = new Recordings(this);
    channel.session = session;
    session.handlers.ended = (end) => this.ended(end);
    session.handlers.renegotiate = (request) => this.renegotiate(request);
    session.handlers.request = (request) => this.inDialog(request);
  }

  /** Leaves what it does and does this; whom it was connected to is on its own then. */
  async begin(actions: readonly Action[]): Promise<void> {
    const before = this.program;
    const program = new Program(this.node, this);
    await this.stopProgram(program);
    if (before && program.goes) this.channel.enter('CS_ROUTING');
    if (program.goes) this.channel.enter('CS_EXECUTE');
    await program.run(actions);
  }

  /** Leaves what it does; resolves when nothing of it happens any more. */
  async stopProgram(next?: Program): Promise<void> {
    const before = this.program;
    this.program = next;
    this.stopSounds(true);
    this.channel.part();
    before?.leave();
    await before?.ended.wait();
  }

  /** Executes one application beside its program, after those that were broadcast before. */
  async broadcast(application: string, data: string): Promise<void> {
    const before = this.asides.at(-1);
    const aside = new Program(this.node, this);
    this.asides.push(aside);
    await before?.ended.wait();
    if (aside.goes) await aside.execute(application, data);
    this.asides.splice(this.asides.indexOf(aside), 1);
    aside.ended.fire();
  }

  /** Ends what plays, with `all` what waits to be played as well. */
  stopSounds(all: boolean): void {
    for (const sound of this.sounds) sound.over.fire();
    if (all) for (const aside of this.asides) aside.leave();
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
    return [['X-Callmesh-Node', this.node.id]];
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
    else if (request.method === 'NOTIFY') this.passOn(request);
    return { status: 200, headers: this.nodeHeader() };
  }

  /** What became of a transfer is for whoever asked for it. */
  private passOn(request: SipRequest): void {
    const other = this.node.legs.get(this.channel.peer?.uuid ?? '');
    if (!other || !this.node.settings.passesReferOn) return;
    const headers = ['event', 'subscription-state'].map((name): [string, string] => [
      name,
      request.headers.get(name) ?? '',
    ]);
    const contentType = request.headers.get('content-type') ?? '';
    void other.session.request('NOTIFY', { headers, body: request.body, contentType });
  }

  /** DTMF as application/dtmf-relay ("Signal=5") or application/dtmf ("5"). */
  private info(request: SipRequest): void {
    const type = request.headers.get('content-type')?.toLowerCase() ?? '';
    if (!type.startsWith('application/dtmf')) return;
    const digit =
      /^Signal\s*=\s*(\S)/im.exec(request.body)?.[1] ?? /^\s*([0-9*#A-D])\s*$/i.exec(request.body)?.[1];
    const duration = Number(/^Duration\s*=\s*(\d+)/im.exec(request.body)?.[1] ?? 250);
    if (digit) this.digit(digit, duration);
  }

  /** The far end pressed a key. */
  digit(digit: string, durationMs: number): void {
    this.channel.dtmf(digit, durationMs);
    if (this.digits.length < MOST_DIGITS) this.digits += digit;
    this.onDigit();
  }

  /** Accepts a transfer and reports it done (RFC 3515); with whom this leg was connected goes there. */
  private refer(request: SipRequest): InDialogAnswer {
    const to = request.headers.get('refer-to');
    if (!to) return { status: 400, reason: 'Missing Refer-To' };
    this.channel.set('sip_refer_to', to);
    const other = this.node.legs.get(this.channel.peer?.uuid ?? '');
    if (other && this.node.settings.passesReferOn) {
      void other.session.request('REFER', { headers: { 'Refer-To': to } });
      return { status: 202, headers: this.nodeHeader() };
    }
    setImmediate(async () => {
      if (this.session.state !== 'confirmed') return;
      await this.notify('active;expires=60', 'SIP/2.0 100 Trying');
      if (this.channel.alive) await this.notify('terminated;reason=noresource', 'SIP/2.0 200 OK');
      other?.referred(parseUri(parseNameAddr(to).uri)?.user ?? '');
    });
    return { status: 202, headers: this.nodeHeader() };
  }

  private notify(state: string, fragment: string) {
    return this.session.request('NOTIFY', {
      headers: [
        ['Event', 'refer'],
        ['Subscription-State', state],
      ],
      body: `${fragment}\r\n`,
      contentType: 'message/sipfrag;version=2.0',
    });
  }

  /** Somebody else is to take this leg: it does what fs-media's dialplan has for that. */
  private referred(destination: string): void {
    if (!this.channel.alive) return;
    this.channel.profile.destination = destination;
    void this.begin([
      { application: 'event', data: 'Event-Name=CUSTOM,Event-Subclass=callmesh::referred' },
      { application: 'park', data: '' },
    ]);
  }
}
