import { OutgoingSession } from '../sip/outgoing.ts';
import { parseTarget } from '../sip/uri.ts';
import { CallLeg } from './call.ts';
import { Channel } from './channel.ts';
import { type Destination, parseDialString } from './dialstring.ts';
import { Executor } from './execute.ts';
import type { StandinNode } from './node.ts';
import { RtpPort } from './rtp.ts';

export interface DialOptions {
  /** The leg that bridges: its caller id, its X- headers, and its progress follow the new leg. */
  caller?: CallLeg;
  callerName?: string;
  callerNumber?: string;
  timeoutS?: number;
}

export type DialResult = { leg: CallLeg; cause: 'SUCCESS' } | { leg: undefined; cause: string };

/** Calls out. */
export class Originator {
  private readonly node: StandinNode;

  constructor(node: StandinNode) {
    this.node = node;
  }

  executor(leg: CallLeg): Executor {
    return new Executor(this.node, leg);
  }

  /** Tries the destinations of a dial string in turn; resolves with the answered leg or the last cause. */
  async dial(dialString: string, options: DialOptions = {}): Promise<DialResult> {
    let result: DialResult = { leg: undefined, cause: 'DESTINATION_OUT_OF_ORDER' };
    for (const destination of parseDialString(dialString)) {
      result = await this.try(destination, options);
      if (result.leg || options.caller?.channel.alive === false) return result;
    }
    return result;
  }

  private async try(destination: Destination, options: DialOptions): Promise<DialResult> {
    const { node } = this;
    if (node.settings.pausedOutbound || node.full || !destination.target) {
      return { leg: undefined, cause: 'DESTINATION_OUT_OF_ORDER' };
    }
    const rtp = await RtpPort.open(node.settings.rtp, node.agent.host);
    const leg = this.leg(destination, options, rtp);
    const caller = options.caller?.channel;
    const abandon = () => leg.channel.hangup('ORIGINATOR_CANCEL');
    const timeout = Number(leg.channel.variables.get('originate_timeout') ?? options.timeoutS ?? 60);
    return new Promise((resolve) => {
      const timer = setTimeout(() => leg.channel.hangup('NO_ANSWER'), timeout * 1000);
      leg.channel.onHangup.push((cause) => {
        clearTimeout(timer);
        resolve({ leg: undefined, cause });
      });
      leg.session.handlers.established = (response) => {
        clearTimeout(timer);
        leg.media.remote(response.body);
        leg.channel.answer();
        resolve({ leg, cause: 'SUCCESS' });
      };
      caller?.onHangup.push(() => !leg.channel.answered && abandon());
      if (caller && !caller.alive) abandon();
      else (leg.session as OutgoingSession).start();
    });
  }

  private leg(destination: Destination, options: DialOptions, rtp: RtpPort): CallLeg {
    const { node } = this;
    const caller = options.caller?.channel.profile;
    const variables = destination.variables;
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
    const headers = customHeaders(options.caller?.channel.variables, variables);
    const session = new OutgoingSession(node.agent, {
      uri: destination.uri,
      from: `${name ? `"${name.replace(/["\\]/g, '')}" ` : ''}<sip:${number}@${node.agent.host}>`,
      ...this.target(destination),
      headers: [['X-Callmesh-From-Node', node.id], ...headers],
      ...(variables.get('sip_invite_call_id')
        ? { callId: variables.get('sip_invite_call_id') as string }
        : {}),
    });
    const leg = new CallLeg(channel, session, node.agent.host, node.id);
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
