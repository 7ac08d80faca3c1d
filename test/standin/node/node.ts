import { runApi } from '../esl/api.ts';
import { EslServer } from '../esl/server.ts';
import { SipAgent } from '../sip/agent.ts';
import type { IncomingSession } from '../sip/incoming.ts';
import type { ExtraHeaders, SipRequest } from '../sip/message.ts';
import type { SipTimers } from '../sip/timers.ts';
import { CallLeg } from './call.ts';
import { Channel } from './channel.ts';
import { microseconds, uptimeText } from './clock.ts';
import type { Room } from './conference.ts';
import { routeInbound } from './dialplan.ts';
import { Originator } from './originate.ts';
import { invitationVariables, profileOf } from './profile.ts';
import { Registrations } from './registrations.ts';
import { RtpPort } from './rtp.ts';
import { SessionCounter } from './sessions.ts';
import { applySettings, DEFAULTS, type Settings } from './settings.ts';
import { Switchboard, VERSION } from './switchboard.ts';

export interface NodeOptions {
  /** Node id: switchname, and value of X-Callmesh-Node. */
  id: string;
  sip?: { host: string; port: number };
  esl?: { host: string; port: number };
  /** Listen for SIP over TCP as well. */
  tcp?: boolean;
  password?: string;
  /** Seconds between HEARTBEATs; 20 as in FreeSWITCH. */
  heartbeatS?: number;
  timers?: SipTimers;
  settings?: Partial<Settings>;
}

/** One stand-in FreeSWITCH: SIP on one side, event socket on the other, channels between. */
export class StandinNode {
  readonly id: string;
  readonly settings: Settings = { ...DEFAULTS };
  readonly agent: SipAgent;
  readonly esl: EslServer;
  readonly board: Switchboard;
  readonly channels = new Map<string, Channel>();
  readonly legs = new Map<string, CallLeg>();
  readonly rooms = new Map<string, Room>();
  readonly globals = new Map<string, string>();
  readonly counter = new SessionCounter();
  readonly originator = new Originator(this);
  /** Of agents, when it is a router. */
  readonly registrations = new Registrations((subclass, fields) =>
    this.board.fire('CUSTOM', () => fields, { subclass }),
  );
  /** Called when `fsctl shutdown` has closed everything. */
  onStopped: () => void = () => {};
  frozen = false;
  dead = false;
  private readonly heartbeat: NodeJS.Timeout;

  private constructor(options: NodeOptions, agent: SipAgent, listen: (node: StandinNode) => EslServer) {
    this.id = options.id;
    applySettings(this.settings, options.settings ?? {});
    this.agent = agent;
    this.esl = listen(this);
    this.board = new Switchboard({
      name: this.id,
      ipv4: agent.host,
      wanted: (name) => this.esl.wanted(name),
      publish: (event, subclass) => this.esl.publish(event, subclass),
    });
    agent.onInvite = (session) => this.invited(session);
    agent.ignoresInvites = () => this.settings.ignoreInvites;
    agent.onOther = (request) => this.other(request);
    this.heartbeat = setInterval(() => this.beat(), (options.heartbeatS ?? 20) * 1000);
  }

  /** Opens the sockets. Rejects when an address is taken. */
  static async start(options: NodeOptions): Promise<StandinNode> {
    const agent = await SipAgent.open({
      ...(options.sip ?? { host: '127.0.0.1', port: 0 }),
      tcp: options.tcp ?? true,
      user: 'mod_sofia',
      product: `FreeSWITCH-mod_sofia/${VERSION}~64bit`,
      ...(options.timers ? { timers: options.timers } : {}),
    });
    let node: StandinNode | undefined;
    const alive = (): StandinNode => node as StandinNode;
    const esl = await EslServer.open(options.esl ?? { host: '127.0.0.1', port: 0 }, {
      password: options.password ?? 'standin',
      api: (command, argument) => {
        alive().board.fire('API', () => [
          ['API-Command', command],
          ...(argument ? ([['API-Command-Argument', argument]] as [string, string][]) : []),
        ]);
        return runApi(alive(), command, argument);
      },
      backgroundJob: (job) => alive().jobDone(job),
      sendMessage: (uuid, headers) => alive().sendMessage(uuid, headers),
      sendEvent: (name, uuid, { headers, body }) => {
        const fields = [...headers].map(([key, value]): [string, string] => [key, value]);
        const subclass = headers.get('event-subclass');
        alive().board.fire(name, () => [['Event-UUID', uuid], ...fields], {
          body,
          ...(subclass ? { subclass } : {}),
        });
      },
    }).catch((error: Error) => {
      agent.destroy();
      throw error;
    });
    node = new StandinNode(options, agent, () => esl);
    return node;
  }

  /** New with each start. */
  get coreUuid(): string {
    return this.board.coreUuid;
  }

  get sip(): string {
    return `${this.agent.host}:${this.agent.port}`;
  }

  get eslAddress(): string {
    return `${this.agent.host}:${this.esl.port}`;
  }

  set(patch: Partial<Settings>): void {
    applySettings(this.settings, patch);
  }

  /** Frozen, the node answers nothing on SIP and ESL and keeps its sockets; thawed, it goes on. */
  freeze(frozen = true): void {
    this.frozen = frozen;
    this.agent.endpoint.transport.freeze(frozen);
    this.esl.freeze(frozen);
  }

  /** Dies on the spot: sockets reset, calls forgotten, nobody told. */
  kill(): void {
    if (this.dead) return;
    this.dead = true;
    clearInterval(this.heartbeat);
    this.agent.destroy();
    this.esl.destroy();
    for (const channel of this.channels.values()) channel.rtp.close();
    this.channels.clear();
    this.legs.clear();
  }

  /** `fsctl shutdown`: hangs up everything (elegant: waits for its end), says goodbye, closes. */
  async stop(elegant = false): Promise<void> {
    if (elegant) await this.idle();
    this.hangupAll('SYSTEM_SHUTDOWN');
    this.board.fire('SHUTDOWN', () => [['Event-Info', 'System Shutting Down']]);
    this.esl.goodbye();
    // What was just written has to leave before the sockets close.
    await new Promise((resolve) => setTimeout(resolve, 50));
    this.kill();
    this.onStopped();
  }

  private idle(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setInterval(() => {
        if (this.channels.size > 0 && !this.dead) return;
        clearInterval(timer);
        resolve();
      }, 100);
    });
  }

  hangupAll(cause: string, matches: (channel: Channel) => boolean = () => true): void {
    for (const channel of [...this.channels.values()]) if (matches(channel)) channel.hangup(cause);
  }

  /** True when one leg more would be too many. */
  get full(): boolean {
    return this.settings.max > 0 && this.channels.size >= this.settings.max;
  }

  /** Keeps a channel while it lives and counts it. */
  adopt(leg: CallLeg): void {
    const { channel } = leg;
    this.channels.set(channel.uuid, channel);
    this.legs.set(channel.uuid, leg);
    this.counter.started(this.channels.size);
    channel.onHangup.push(() => {
      this.channels.delete(channel.uuid);
      this.legs.delete(channel.uuid);
    });
  }

  private invited(session: IncomingSession): void {
    const { settings } = this;
    this.counter.invites++;
    if (settings.pausedInbound || this.full) {
      this.counter.refused++;
      session.reject(503, busy());
      return;
    }
    if (settings.respond >= 300) {
      this.counter.refused++;
      const retry: ExtraHeaders = settings.respond === 503 ? { 'Retry-After': '300' } : {};
      session.reject(settings.respond, { headers: retry });
      return;
    }
    if (settings.rtp === 'off') this.accept(session, RtpPort.off());
    else {
      RtpPort.open(settings.rtp, this.agent.host).then(
        (rtp) => this.accept(session, rtp),
        () => session.reject(500),
      );
    }
  }

  private accept(session: IncomingSession, rtp: RtpPort): void {
    if (session.state === 'ended') {
      rtp.close();
      return;
    }
    const { invite } = session;
    const { peer } = session.transaction;
    const profile = profileOf(invite, peer, this.settings.context);
    const from = `${profile.username}@${this.sip}`;
    const channel = new Channel(this.board, {
      direction: 'inbound',
      name: `sofia/internal/${invite.headers.get('from')?.match(/sips?:([^>;]*)/)?.[1] ?? from}`,
      profile,
      rtp,
      mos: () => this.settings.mos,
      number: this.counter.total + 1,
    });
    for (const [name, value] of invitationVariables(invite, peer, channel.times.created))
      channel.set(name, value);
    channel.set('sofia_profile_name', 'internal');
    channel.set('recovery_profile_name', 'internal');
    channel.set('sofia_profile_url', `sip:mod_sofia@${this.sip}`);
    channel.set('endpoint_disposition', 'RECEIVED');
    const leg = new CallLeg(this, channel, session);
    this.adopt(leg);
    channel.announce();
    void routeInbound(this, leg);
  }

  private other(request: SipRequest): number | { status: number; reason?: string; headers?: ExtraHeaders } {
    const { settings } = this;
    const { method } = request;
    const closed = settings.pausedInbound || this.full;
    if (method === 'REGISTER' && closed) return { status: 503, ...busy() };
    if (method === 'REGISTER') return { status: 200, headers: this.registrations.take(request) };
    if (method !== 'OPTIONS') return 405;
    if (closed && settings.optionsBusy) return { status: 503, ...busy() };
    return { status: 200, headers: { Contact: `<sip:${this.sip}>`, Accept: 'application/sdp' } };
  }

  private jobDone(job: { uuid: string; command: string; argument: string; result: string }): void {
    this.board.fire(
      'BACKGROUND_JOB',
      () => {
        const headers: [string, string][] = [
          ['Job-UUID', job.uuid],
          ['Job-Command', job.command],
        ];
        if (job.argument) headers.push(['Job-Command-Arg', job.argument]);
        return headers;
      },
      { body: job.result },
    );
  }

  private sendMessage(uuid: string, headers: Map<string, string>): boolean {
    const leg = this.legs.get(uuid);
    if (!leg) return false;
    const command = headers.get('call-command');
    if (command === 'hangup') leg.channel.hangup(headers.get('hangup-cause') ?? 'NORMAL_CLEARING');
    else if (command === 'execute') {
      void leg.broadcast(headers.get('execute-app-name') ?? '', headers.get('execute-app-arg') ?? '');
    }
    return true;
  }

  private beat(): void {
    if (this.frozen) return;
    const uptime = microseconds() - this.board.startedUs;
    this.board.fire('HEARTBEAT', () => [
      ['Event-Info', 'System Ready'],
      ['Up-Time', uptimeText(uptime)],
      ['FreeSWITCH-Version', `${VERSION}~64bit`],
      ['Uptime-msec', String(Math.floor(uptime / 1000))],
      ['Session-Count', String(this.channels.size)],
      ['Max-Sessions', String(this.settings.max || 1000)],
      ['Session-Per-Sec', '30'],
      ...this.counter.headers(),
      ['Idle-CPU', '90.000000'],
    ]);
  }
}

/** What sofia says when it may not take a call. */
function busy(): { reason: string; headers: ExtraHeaders } {
  return { reason: 'Maximum Calls In Progress', headers: { 'Retry-After': '300' } };
}
