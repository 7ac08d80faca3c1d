import { SipAgent } from '../standin/sip/agent.ts';
import type { Credentials } from '../standin/sip/digest.ts';
import { IncomingSession } from '../standin/sip/incoming.ts';
import type { ExtraHeaders, SipRequest, SipResponse } from '../standin/sip/message.ts';
import type { OutgoingSession } from '../standin/sip/outgoing.ts';
import { formatSdp, parseSdp } from '../standin/sip/sdp.ts';
import type { SessionEnd } from '../standin/sip/session.ts';
import { parseTarget } from '../standin/sip/uri.ts';
import { DIGITS_PT, RtpEnd } from './rtp.ts';

type Direction = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';
let version = 1;

/** A telephone: it calls and is called, speaks with a tone of its own, and hears. */
export class Phone {
  /** Calls that came in, oldest first. */
  readonly calls: PhoneCall[] = [];
  readonly agent: SipAgent;
  /** Hertz of its voice. */
  readonly tone: number;
  /** What it does with a call that comes in; answers by default. */
  onCall: (call: PhoneCall) => void = (call) => call.answer();
  readonly #all: PhoneCall[] = [];

  private constructor(agent: SipAgent, tone: number) {
    this.agent = agent;
    this.tone = tone;
    agent.onInvite = (session) => void this.#incoming(session);
  }

  static async open(user: string, tone: number, host = '127.0.0.1'): Promise<Phone> {
    return new Phone(await SipAgent.open({ host, user, product: 'callmesh-phone' }), tone);
  }

  /** "127.0.0.1:port". */
  get address(): string {
    return `${this.agent.host}:${this.agent.port}`;
  }

  /** Request-URI of this phone, with its address. */
  get uri(): string {
    return `sip:${this.agent.user}@${this.address}`;
  }

  async call(options: {
    proxy: string;
    to: string;
    /** From URI; its own user and address unless told. */
    from?: string;
    headers?: ExtraHeaders;
    callId?: string;
    credentials?: Credentials;
  }): Promise<PhoneCall> {
    const ear = await RtpEnd.open(this.agent.host);
    const session = this.agent.invite({
      uri: options.to,
      target: parseTarget(options.proxy),
      body: audioSdp(this, ear, 'sendrecv'),
      ...(options.from && { from: `<${options.from}>` }),
      ...(options.headers && { headers: options.headers }),
      ...(options.callId && { callId: options.callId }),
      ...(options.credentials && { credentials: options.credentials }),
    });
    const call = new PhoneCall(this, session, ear);
    this.#all.push(call);
    session.start();
    return call;
  }

  async #incoming(session: IncomingSession): Promise<void> {
    const call = new PhoneCall(this, session, await RtpEnd.open(this.agent.host));
    this.#all.push(call);
    this.calls.push(call);
    this.onCall(call);
  }

  /** Forgets calls without a word, as a phone does whose plug was pulled. */
  close(): void {
    for (const call of this.#all) call.ear.close();
    this.agent.destroy();
  }
}

/** One call of a phone. */
export class PhoneCall {
  readonly ear: RtpEnd;
  readonly session: IncomingSession | OutgoingSession;
  /** Statuses of the answers to our INVITE, in order. */
  readonly statuses: number[] = [];
  /** What came inside the dialog: re-INVITE, INFO, NOTIFY ... */
  readonly received: SipRequest[] = [];
  /** How it ended, once it has. */
  end: SessionEnd | undefined;
  readonly #phone: Phone;
  #talks = true;

  constructor(phone: Phone, session: IncomingSession | OutgoingSession, ear: RtpEnd) {
    this.#phone = phone;
    this.session = session;
    this.ear = ear;
    const { handlers } = session;
    handlers.provisional = (response) => this.#answered(response);
    handlers.established = (message) => message.kind === 'response' && this.#answered(message);
    handlers.ended = (end) => {
      this.end = end;
      if (end.message?.kind === 'response') this.statuses.push(end.message.status);
    };
    handlers.renegotiate = (request) => {
      this.received.push(request);
      this.#towards(request.body);
      return { status: 200, ...(request.body && { body: this.#sdp(mirrored(request.body)) }) };
    };
    handlers.request = (request) => {
      this.received.push(request);
      return { status: 200 };
    };
    if (session instanceof IncomingSession) this.#towards(session.invite.body);
  }

  /** The INVITE it began with. */
  get invite(): SipRequest {
    return this.session.invite;
  }

  /** Status of the final answer to our INVITE. */
  get status(): number {
    return this.statuses.find((status) => status >= 200) ?? 0;
  }

  /** Direction of the last offer that came, from the far end's side. */
  get offered(): string {
    const last = this.received.findLast(({ method, body }) => method === 'INVITE' && body !== '');
    return parseSdp(last?.body ?? this.invite.body)?.direction ?? '';
  }

  ring(): void {
    if (this.session instanceof IncomingSession) this.session.progress(180);
  }

  /** 183 with its voice. */
  earlyMedia(): void {
    if (this.session instanceof IncomingSession) this.session.progress(183, { body: this.#sdp('sendrecv') });
  }

  answer(): void {
    if (this.session instanceof IncomingSession) this.session.accept({ body: this.#sdp('sendrecv') });
  }

  refuse(status: number): void {
    if (this.session instanceof IncomingSession) this.session.reject(status);
  }

  /** Speaks no more, or again. */
  talk(on: boolean): void {
    this.#talks = on;
    this.#speak();
  }

  /** Presses a key (RFC 4733). */
  press(digit: string, ms = 100): void {
    const { remote } = this;
    if (remote) this.ear.digit(digit, ms, remote.port, remote.address);
  }

  /** Presses a key (SIP INFO). */
  info(digit: string, ms = 100): Promise<SipResponse> {
    const body = `Signal=${digit}\r\nDuration=${ms}\r\n`;
    return this.session.request('INFO', { body, contentType: 'application/dtmf-relay' });
  }

  /** Puts the far end on hold, or takes it back, by re-INVITE. */
  hold(on: boolean): Promise<SipResponse> {
    return this.session.request('INVITE', { body: this.#sdp(on ? 'sendonly' : 'sendrecv') });
  }

  hangUp(): void {
    this.session.hangup();
  }

  /** Where its voice goes. */
  remote: { port: number; address: string } | undefined;

  #answered(response: SipResponse): void {
    this.statuses.push(response.status);
    this.#towards(response.body);
  }

  #towards(body: string): void {
    const { port, address } = parseSdp(body) ?? {};
    if (!port || !address) return;
    this.remote = { port, address };
    this.#speak();
  }

  #speak(): void {
    const { remote } = this;
    if (remote) this.ear.talk(this.#talks ? this.#phone.tone : 0, remote.port, remote.address);
  }

  #sdp(direction: Direction): string {
    return audioSdp(this.#phone, this.ear, direction);
  }
}

function audioSdp(phone: Phone, ear: RtpEnd, direction: Direction): string {
  version += 1;
  return formatSdp({
    address: phone.agent.host,
    port: ear.port,
    id: ear.port,
    version,
    payloads: [8],
    dtmf: DIGITS_PT,
    direction,
    owner: 'phone',
  });
}

function mirrored(body: string): Direction {
  const direction = parseSdp(body)?.direction ?? 'sendrecv';
  return direction === 'sendonly' ? 'recvonly' : direction === 'recvonly' ? 'sendonly' : direction;
}
