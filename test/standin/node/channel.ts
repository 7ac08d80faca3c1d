import { randomUUID } from 'node:crypto';
import type { IncomingSession } from '../sip/incoming.ts';
import type { OutgoingSession } from '../sip/outgoing.ts';
import { q850, statusOfCause } from './causes.ts';
import { microseconds } from './clock.ts';
import { type CallerProfile, type ChannelTimes, profileHeaders } from './profile.ts';
import { finalVariables } from './report.ts';
import type { RtpPort } from './rtp.ts';
import type { Switchboard } from './switchboard.ts';

export type Leg = IncomingSession | OutgoingSession;

const STATE_NUMBERS = {
  CS_NEW: 0,
  CS_INIT: 1,
  CS_ROUTING: 2,
  CS_EXECUTE: 4,
  CS_EXCHANGE_MEDIA: 5,
  CS_CONSUME_MEDIA: 7,
  CS_HANGUP: 10,
  CS_REPORTING: 11,
  CS_DESTROY: 12,
};

/** A dialplan application with its argument. */
export interface Application {
  readonly name: string;
  readonly data: string;
}

export type ChannelState = keyof typeof STATE_NUMBERS;
export type CallState = 'DOWN' | 'RINGING' | 'EARLY' | 'ACTIVE' | 'HELD' | 'UNHELD' | 'HANGUP';
const CALLSTATE_NUMBERS: Record<CallState, number> = {
  DOWN: 0,
  RINGING: 2,
  EARLY: 3,
  ACTIVE: 4,
  HELD: 5,
  HANGUP: 7,
  UNHELD: 8,
};

/** One leg as FreeSWITCH shows it: state, variables, and the events of its life. */
export class Channel {
  readonly uuid: string;
  readonly direction: 'inbound' | 'outbound';
  readonly name: string;
  readonly profile: CallerProfile;
  readonly variables = new Map<string, string>();
  readonly times: ChannelTimes;
  readonly rtp: RtpPort;
  session: Leg | undefined;
  peer: Channel | undefined;
  /** True for the leg that bridged: it fires CHANNEL_BRIDGE and CHANNEL_UNBRIDGE. */
  originator = false;
  state: ChannelState = 'CS_NEW';
  callState: CallState = 'DOWN';
  cause: string | undefined;
  /** True while it waits in `park`. */
  parked = false;
  /** Applications under way, the innermost last: what is broadcast to a leg runs inside what it does. */
  readonly applications: Application[] = [];
  lastApplication: Application | undefined;
  /** The other leg of a bridge went away, this one is still there. */
  onAlone: () => void = () => this.hangup('NORMAL_CLEARING');
  /** Called when the channel is about to end, while it still is one. */
  readonly onEnding: (() => void)[] = [];
  /** Called once the channel is gone, with its cause. */
  readonly onHangup: ((cause: string) => void)[] = [];
  private readonly board: Switchboard;
  private parting = false;
  private answerState: 'ringing' | 'early' | 'answered' | 'hangup' = 'ringing';
  private readonly mos: () => number;

  constructor(
    board: Switchboard,
    init: {
      direction: 'inbound' | 'outbound';
      name: string;
      profile: CallerProfile;
      rtp: RtpPort;
      mos: () => number;
      number: number;
      uuid?: string;
    },
  ) {
    this.board = board;
    this.uuid = init.uuid ?? randomUUID();
    this.direction = init.direction;
    this.name = init.name;
    this.profile = init.profile;
    this.rtp = init.rtp;
    this.mos = init.mos;
    this.times = { created: microseconds() };
    this.set('direction', init.direction);
    if (init.direction === 'outbound') this.set('is_outbound', 'true');
    this.set('uuid', this.uuid);
    this.set('call_uuid', this.uuid);
    this.set('session_id', String(init.number));
    this.set('channel_name', init.name);
  }

  get answered(): boolean {
    return this.times.answered !== undefined;
  }

  get alive(): boolean {
    return this.cause === undefined;
  }

  set(name: string, value: string): void {
    this.variables.set(name, value);
  }

  /** The first events of a leg. */
  announce(): void {
    this.enter('CS_INIT');
    this.fire('CHANNEL_CREATE');
    if (this.direction === 'inbound') {
      this.callState = 'RINGING';
      this.state = 'CS_ROUTING';
      this.fireCallState('DOWN');
      this.fireState();
    } else {
      this.fire('CHANNEL_ORIGINATE');
      this.enter('CS_ROUTING');
      this.enter('CS_CONSUME_MEDIA');
    }
  }

  enter(state: ChannelState): void {
    this.state = state;
    this.fireState();
  }

  /** What it does now. */
  get application(): Application {
    return this.applications.at(-1) ?? { name: '', data: '' };
  }

  execute(name: string, data: string): Application {
    const application = { name, data };
    this.applications.push(application);
    this.lastApplication = application;
    this.set('current_application', name);
    if (data) this.set('current_application_data', data);
    this.fire('CHANNEL_EXECUTE', applicationHeaders(application));
    return application;
  }

  executed(application: Application): void {
    const at = this.applications.indexOf(application);
    if (at < 0) return;
    this.applications.splice(at, 1);
    this.fire('CHANNEL_EXECUTE_COMPLETE', applicationHeaders(application));
  }

  park(parked: boolean): void {
    if (this.parked === parked) return;
    this.parked = parked;
    this.fire(parked ? 'CHANNEL_PARK' : 'CHANNEL_UNPARK');
  }

  /** 180 (or 183, with media) was sent or came. */
  progress(media: boolean): void {
    if (this.answered || !this.alive) return;
    const first = this.times.progress === undefined && this.times.progressMedia === undefined;
    if (media) this.times.progressMedia ??= microseconds();
    else this.times.progress ??= microseconds();
    if (first) this.fire(media ? 'CHANNEL_PROGRESS_MEDIA' : 'CHANNEL_PROGRESS');
    if (this.callState === 'DOWN') this.become(media ? 'EARLY' : 'RINGING');
  }

  answer(): void {
    if (this.answered || !this.alive) return;
    this.times.answered = microseconds();
    this.answerState = 'answered';
    this.set('endpoint_disposition', 'ANSWER');
    this.fire('CHANNEL_ANSWER');
    this.become('ACTIVE');
  }

  hold(on: boolean): void {
    if (!this.alive || (this.callState === 'HELD') === on) return;
    this.become(on ? 'HELD' : 'UNHELD');
    if (on) this.times.lastHold = microseconds();
    this.fire(on ? 'CHANNEL_HOLD' : 'CHANNEL_UNHOLD');
    if (!on) this.callState = 'ACTIVE';
  }

  dtmf(digit: string, durationMs: number): void {
    const digits: [string, string][] = [
      ['DTMF-Digit', digit],
      ['DTMF-Duration', String(durationMs * 8)],
      ['DTMF-Source', 'ENDPOINT'],
    ];
    this.fire('DTMF', digits);
  }

  /** Joins two answered legs; this one is the A leg. */
  bridge(other: Channel): void {
    this.peer = other;
    other.peer = this;
    this.rtp.bridge(other.rtp);
    this.originator = true;
    other.originator = false;
    const now = microseconds();
    this.times.bridged = now;
    other.times.bridged = now;
    for (const [leg, far] of [
      [this, other],
      [other, this],
    ] as const) {
      leg.set('bridge_uuid', far.uuid);
      leg.set('last_bridge_to', far.uuid);
      leg.set('signal_bond', far.uuid);
    }
    other.set('call_uuid', this.uuid);
    this.fire('CHANNEL_BRIDGE', bridgeHeaders(this, other));
    other.enter('CS_EXCHANGE_MEDIA');
  }

  /** Leaves its bridge; what becomes of the other leg is that one's business. */
  part(): void {
    const other = this.peer;
    if (!other || this.parting) return;
    this.parting = true;
    other.parting = true;
    const a = this.originator ? this : other;
    // The one that was called goes before the bridge is said to be over, the one that called after it.
    if (other !== a && other.alive) other.onAlone();
    a.fire('CHANNEL_UNBRIDGE', bridgeHeaders(a, a === this ? other : this));
    for (const leg of [this, other]) {
      leg.peer = undefined;
      leg.rtp.part();
      leg.parting = false;
      leg.variables.delete('bridge_uuid');
      leg.variables.delete('signal_bond');
    }
    if (other === a && other.alive) other.onAlone();
  }

  /**
   * Ends the leg: SIP says so to the far end (unless it was the far end that
   * ended it), the events of hanging up follow, `onHangup` last.
   */
  hangup(cause: string, how: { byFarEnd?: boolean; status?: number } = {}): void {
    if (!this.alive) return;
    this.cause = cause;
    this.times.hangup = microseconds();
    this.answerState = 'hangup';
    this.fire('CHANNEL_HANGUP');
    this.set('sip_hangup_disposition', disposition(this, how.byFarEnd === true));
    if (!how.byFarEnd) {
      const reason = `Q.850;cause=${q850(cause) || 16};text="${cause}"`;
      this.session?.hangup({ status: how.status ?? statusOfCause(cause), headers: { Reason: reason } });
    }
    if (this.peer) this.part();
    this.park(false);
    for (const listener of this.onEnding) listener();
    for (const application of this.applications.toReversed()) this.executed(application);
    this.complete(cause);
    for (const listener of this.onHangup) listener(cause);
  }

  /** Header fields every event of this channel has, without variables. */
  basicHeaders(): [string, string][] {
    const codec: [string, string][] =
      this.direction === 'inbound' || this.answered
        ? ['Read', 'Write'].flatMap((way): [string, string][] => [
            [`Channel-${way}-Codec-Name`, 'PCMU'],
            [`Channel-${way}-Codec-Rate`, '8000'],
            [`Channel-${way}-Codec-Bit-Rate`, '64000'],
          ])
        : [];
    return [
      ['Channel-State', this.state],
      ['Channel-Call-State', this.callState],
      ['Channel-State-Number', String(STATE_NUMBERS[this.state])],
      ['Channel-Name', this.name],
      ['Unique-ID', this.uuid],
      ['Call-Direction', this.direction],
      ['Presence-Call-Direction', this.direction],
      ['Channel-HIT-Dialplan', String(this.direction === 'inbound')],
      ['Channel-Call-UUID', this.variables.get('call_uuid') ?? this.uuid],
      ['Answer-State', this.answerState],
      ...(this.cause ? ([['Hangup-Cause', this.cause]] as [string, string][]) : []),
      ...codec,
      ...profileHeaders('Caller', this.profile, this.legInfo()),
      ...(this.peer ? this.otherHeaders(this.peer) : []),
    ];
  }

  /** All fields, variables included: what uuid_dump and most events show. */
  allHeaders(): [string, string][] {
    const headers = this.basicHeaders();
    for (const [name, value] of this.variables) headers.push([`variable_${name}`, value]);
    return headers;
  }

  /** Fires an event of this channel; `first` fields come before the channel's own, as in FreeSWITCH. */
  fire(name: string, first: [string, string][] = [], subclass = ''): void {
    this.board.fire(name, () => [...first, ...this.allHeaders()], subclass ? { subclass } : {});
  }

  private complete(cause: string): void {
    this.enter('CS_HANGUP');
    this.become('HANGUP');
    this.enter('CS_REPORTING');
    for (const [name, value] of finalVariables(this, cause, this.mos())) this.set(name, value);
    this.fire('CHANNEL_HANGUP_COMPLETE', [['Hangup-Cause', cause]]);
    this.fire('CHANNEL_DESTROY');
    this.enter('CS_DESTROY');
    this.rtp.close();
  }

  private become(next: CallState): void {
    const before = this.callState;
    this.callState = next;
    this.fireCallState(before);
  }

  private fireCallState(before: CallState): void {
    this.board.fire('CHANNEL_CALLSTATE', () => [
      ['Original-Channel-Call-State', before],
      ['Channel-Call-State-Number', String(CALLSTATE_NUMBERS[this.callState])],
      ...this.basicHeaders(),
    ]);
  }

  private fireState(): void {
    this.board.fire('CHANNEL_STATE', () => this.basicHeaders());
  }

  private legInfo() {
    const source = this.direction === 'inbound' ? 'mod_sofia' : 'src/switch_ivr_originate.c';
    return { uuid: this.uuid, direction: this.direction, name: this.name, source, times: this.times };
  }

  private otherHeaders(other: Channel): [string, string][] {
    const type = this.originator ? 'originatee' : 'originator';
    return [['Other-Type', type], ...profileHeaders('Other-Leg', other.profile, other.legInfo())];
  }
}

function applicationHeaders(application: { name: string; data: string }): [string, string][] {
  const headers: [string, string][] = [['Application', application.name]];
  if (application.data) headers.push(['Application-Data', application.data]);
  return headers;
}

function bridgeHeaders(a: Channel, b: Channel): [string, string][] {
  return [
    ['Bridge-A-Unique-ID', a.uuid],
    ['Bridge-B-Unique-ID', b.uuid],
  ];
}

function disposition(channel: Channel, byFarEnd: boolean): string {
  if (channel.answered) return byFarEnd ? 'recv_bye' : 'send_bye';
  if (channel.direction === 'inbound') return byFarEnd ? 'recv_cancel' : 'send_refuse';
  return byFarEnd ? 'recv_refuse' : 'send_cancel';
}
