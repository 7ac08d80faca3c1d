import { OutgoingSession } from '../sip/outgoing.ts';
import { parseTarget } from '../sip/uri.ts';
import { CallLeg } from './call.ts';
import { Channel } from './channel.ts';
import { type Alternates, type Destination, parseDialString } from './dialstring.ts';
import type { StandinNode } from './node.ts';
import { RtpPort } from './rtp.ts';
import { Signal } from './signal.ts';

export interface DialOptions {
  /** The leg that bridges: its caller id, its X- headers, and its progress follow the new leg. */
  caller?: CallLeg;
  /** Gives up when this happens; the end of the caller's leg unless told. */
  until?: Signal;
  callerName?: string;
  callerNumber?: string;
  timeoutS?: number;
}

export type DialResult =
  | { leg: CallLeg; cause: 'SUCCESS' }
  /** `status` is what the far end answered, when it did. */
  | { leg: undefined; cause: string; status?: number };

/** One attempt to call somebody: what it is part of, and when it is too late. */
interface Attempt extends DialOptions {
  /** Several dial strings at once, each by itself: the new legs then know nothing of the leg that bridges. */
  enterprise: boolean;
  /** Somebody else answered. */
  lost: Signal;
}

/** Calls out. */
export class Originator {
  private readonly node: StandinNode;

  constructor(node: StandinNode) {
    this.node = node;
  }

  /** Calls whom a dial string names; resolves with the first leg that answers, or the last cause. */
  async dial(dialString: string, options: DialOptions = {}): Promise<DialResult> {
    const parts = parseDialString(dialString);
    const attempt = { ...options, enterprise: parts.length > 1, lost: new Signal() };
    return this.race(
      parts.map((alternates) => () => this.inTurn(alternates, attempt)),
      attempt.lost,
    );
  }

  /** One group after another, until somebody answers or it is too late. */
  private async inTurn(groups: Alternates, attempt: Attempt): Promise<DialResult> {
    let result: DialResult = { leg: undefined, cause: 'DESTINATION_OUT_OF_ORDER' };
    for (const group of groups) {
      const lost = new Signal();
      const off = attempt.lost.on(() => lost.fire());
      const calls = group.map((destination) => () => this.try(destination, { ...attempt, lost }));
      result = await this.race(calls, lost);
      off();
      if (result.leg || attempt.lost.happened || givenUp(attempt)) return result;
    }
    return result;
  }

  /** All at once; the first answer ends the others. */
  private async race(calls: (() => Promise<DialResult>)[], lost: Signal): Promise<DialResult> {
    let first: DialResult | undefined;
    let last: DialResult = { leg: undefined, cause: 'DESTINATION_OUT_OF_ORDER' };
    await Promise.all(
      calls.map(async (call) => {
        const result = await call();
        last = result;
        if (!result.leg) return;
        if (first) result.leg.channel.hangup('LOSE_RACE');
        first ??= result;
        lost.fire();
      }),
    );
    return first ?? last;
  }

  private async try(destination: Destination, attempt: Attempt): Promise<DialResult> {
    const { node } = this;
    if (node.settings.pausedOutbound || node.full || !destination.target) {
      return { leg: undefined, cause: 'DESTINATION_OUT_OF_ORDER' };
    }
    const rtp = await RtpPort.open(node.settings.rtp, node.agent.host);
    const leg = this.leg(destination, attempt, rtp);
    const { channel } = leg;
    const { seconds, cause } = limit(channel, attempt);
    const timer = setTimeout(() => channel.hangup(cause), seconds * 1000);
    return new Promise((resolve) => {
      channel.onHangup.push((cause) => {
        clearTimeout(timer);
        const status = Number(channel.variables.get('sip_invite_failure_status'));
        resolve({ leg: undefined, cause, ...(status && { status }) });
      });
      leg.session.handlers.established = (response) => {
        clearTimeout(timer);
        leg.media.remote(response.body);
        channel.answer();
        resolve({ leg, cause: 'SUCCESS' });
      };
      attempt.lost.on(() => !channel.answered && channel.hangup('LOSE_RACE'));
      attempt.until?.on(() => !channel.answered && channel.hangup('ORIGINATOR_CANCEL'));
      if (channel.alive) (leg.session as OutgoingSession).start();
    });
  }

  private leg(destination: Destination, options: Attempt, rtp: RtpPort): CallLeg {
    const { node } = this;
    const caller = options.caller?.channel.profile;
    const variables = new Map([...(options.caller?.exported ?? []), ...destination.variables]);
    const number =
      variables.get('origination_caller_id_number') ??
      options.callerNumber ??
      caller?.callerNumber ??
      '0000000000';
    const name =
      variables.get('origination_caller_id_name') ?? options.callerName ?? caller?.callerName ?? '';
    const channel = new Channel(node.board, {
      direction: 'outbound',
      name: destination.name,
      profile: {
        username: caller?.username ?? '',
        callerName: name,
        callerNumber: number,
        destination: destination.user,
        calleeNumber: destination.user,
        networkAddr: caller?.networkAddr ?? '',
        context: 'default',
      },
      rtp,
      mos: () => node.settings.mos,
      number: node.counter.total + 1,
      ...(variables.get('origination_uuid') ? { uuid: variables.get('origination_uuid') as string } : {}),
    });
    for (const [key, value] of variables) channel.set(key, value);
    // In an enterprise originate nothing says whose leg it is: a caller is known by what is exported alone.
    const bridging = options.enterprise ? undefined : options.caller?.channel;
    if (bridging) {
      channel.set('originator', bridging.uuid);
      channel.set('call_uuid', bridging.uuid);
      channel.set('signal_bond', bridging.uuid);
    }
    const headers = customHeaders(bridging?.variables, variables);
    const session = new OutgoingSession(node.agent, {
      uri: destination.uri,
      from: `${name ? `"${name.replace(/["\\]/g, '')}" ` : ''}<sip:${number}@${node.agent.host}>`,
      ...this.target(destination),
      headers: [
        ['X-Callmesh-From-Node', node.id],
        ...(destination.route ? ([['Route', destination.route]] as [string, string][]) : []),
        ...headers,
      ],
      ...(variables.get('sip_invite_call_id')
        ? { callId: variables.get('sip_invite_call_id') as string }
        : {}),
    });
    const leg = new CallLeg(node, channel, session);
    session.invite.body = leg.media.offer();
    session.invite.headers.set('Content-Type', 'application/sdp');
    channel.set('sip_call_id', session.dialog.callId);
    channel.set('sip_destination_url', destination.uri);
    channel.set('sip_profile_name', 'internal');
    channel.set('sofia_profile_name', 'internal');
    channel.set('sip_outgoing_contact_uri', node.agent.contact(session.target.transport));
    for (const [header, value] of headers) channel.set(`sip_h_${header}`, value);
    session.handlers.provisional = (response) => {
      if (response.status === 100) return;
      const media = response.body !== '';
      if (media) leg.media.remote(response.body);
      channel.progress(media);
      // Early media is not bridged here: the caller hears of it as ringing.
      options.caller?.ring();
    };
    node.adopt(leg);
    channel.announce();
    return leg;
  }

  private target(destination: Destination): { target?: ReturnType<typeof parseTarget> } {
    const proxy = this.node.settings.outboundProxy;
    if (proxy) return { target: parseTarget(proxy) };
    return destination.target ? { target: destination.target } : {};
  }
}

function givenUp({ until, caller }: Attempt): boolean {
  return until?.happened === true || caller?.channel.alive === false;
}

/** How long a leg may ring, and the cause then: its own limit, else the one of whoever calls. */
function limit({ variables }: Channel, attempt: Attempt): { seconds: number; cause: string } {
  const leg = variables.get('leg_timeout');
  if (leg !== undefined) return { seconds: Number(leg), cause: 'ALLOTTED_TIMEOUT' };
  const caller = attempt.caller?.channel.variables;
  const all = variables.get('originate_timeout') ?? caller?.get('call_timeout') ?? attempt.timeoutS;
  return { seconds: Number(all ?? 60), cause: 'NO_ANSWER' };
}

/** sip_h_* of the new leg, and the X- headers of the bridging one (sip_copy_custom_headers). */
function customHeaders(
  caller: Map<string, string> | undefined,
  own: Map<string, string>,
): [string, string][] {
  const headers = new Map<string, string>();
  if (caller?.get('sip_copy_custom_headers') !== 'false') {
    for (const [name, value] of caller ?? []) if (/^sip_h_X-/i.test(name)) headers.set(name.slice(6), value);
  }
  for (const [name, value] of own) if (name.startsWith('sip_h_')) headers.set(name.slice(6), value);
  return [...headers];
}
