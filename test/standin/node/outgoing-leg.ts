import { OutgoingSession } from '../sip/outgoing.ts';
import { parseTarget } from '../sip/uri.ts';
import { CallLeg } from './call.ts';
import { Channel } from './channel.ts';
import type { Destination } from './dialstring.ts';
import type { StandinNode } from './node.ts';
import type { RtpPort } from './rtp.ts';

/** For whom a leg is made. */
export interface Calling {
  /** The leg that bridges: its caller id, its X- headers, and its progress follow the new leg. */
  readonly caller?: CallLeg;
  readonly callerName?: string;
  readonly callerNumber?: string;
  /** Several dial strings at once, each by itself: the new legs then know nothing of the leg that bridges. */
  readonly enterprise: boolean;
}

type Variables = ReadonlyMap<string, string>;

/** A leg to a destination, its INVITE ready to be sent. */
export function outgoingLeg(
  node: StandinNode,
  destination: Destination,
  calling: Calling,
  rtp: RtpPort,
): CallLeg {
  const bridging = calling.enterprise ? undefined : calling.caller?.channel;
  const variables = new Map([...(calling.caller?.exported ?? []), ...destination.variables]);
  const { name, number } = callerOf(calling, variables);
  const channel = channelTo(node, destination, { ...calling, name, number, uuid: variables, rtp });
  for (const [key, value] of variables) channel.set(key, value);
  // In an enterprise originate nothing says whose leg it is: a caller is known by what is exported alone.
  if (bridging) for (const key of ['originator', 'call_uuid', 'signal_bond']) channel.set(key, bridging.uuid);
  const headers = customHeaders(bridging?.variables, variables);
  const session = invitation(node, destination, variables, {
    from: fromOf(name, number, node.agent.host, variables),
    headers,
  });
  const leg = new CallLeg(node, channel, session);
  session.invite.body = leg.media.offer('sendrecv', calling.caller?.channel);
  session.invite.headers.set('Content-Type', 'application/sdp');
  describe(channel, session, destination);
  for (const [header, value] of headers) channel.set(`sip_h_${header}`, value);
  session.handlers.provisional = (response) => {
    if (response.status === 100) return;
    const media = response.body !== '';
    if (media) leg.media.remote(response.body);
    channel.progress(media);
    // Early media is not bridged here: the caller hears of it as ringing.
    if (!calling.enterprise) calling.caller?.ring();
  };
  return leg;
}

function channelTo(
  node: StandinNode,
  destination: Destination,
  about: { caller?: CallLeg; name: string; number: string; uuid: Variables; rtp: RtpPort },
): Channel {
  const caller = about.caller?.channel.profile;
  const uuid = about.uuid.get('origination_uuid');
  return new Channel(node.board, {
    direction: 'outbound',
    name: destination.name,
    profile: {
      username: caller?.username ?? '',
      callerName: about.name,
      callerNumber: about.number,
      destination: destination.user,
      calleeNumber: destination.user,
      networkAddr: caller?.networkAddr ?? '',
      context: 'default',
    },
    rtp: about.rtp,
    mos: () => node.settings.mos,
    number: node.counter.total + 1,
    ...(uuid === undefined ? {} : { uuid }),
  });
}

function invitation(
  node: StandinNode,
  destination: Destination,
  variables: Variables,
  { from, headers }: { from: string; headers: [string, string][] },
): OutgoingSession {
  const { outboundProxy } = node.settings;
  const target = outboundProxy ? parseTarget(outboundProxy) : destination.target;
  const callId = variables.get('sip_invite_call_id');
  const excluded = variables.get('exclude_outgoing_extra_header');
  const regex = excluded === undefined ? undefined : new RegExp(excluded);
  const route: [string, string][] = destination.route ? [['Route', destination.route]] : [];
  return new OutgoingSession(node.agent, {
    uri: destination.uri,
    from,
    headers: [
      ['X-Callmesh-From-Node', node.id],
      ...route,
      ...headers.filter(([header]) => !regex?.test(`sip_h_${header}`)),
    ],
    ...(target && { target }),
    ...(callId && { callId }),
  });
}

function describe(channel: Channel, session: OutgoingSession, { uri }: Destination): void {
  channel.set('sip_call_id', session.dialog.callId);
  channel.set('sip_destination_url', uri);
  channel.set('sip_profile_name', 'internal');
  channel.set('sofia_profile_name', 'internal');
  channel.set('sip_outgoing_contact_uri', session.agent.contact(session.target.transport));
}

/** Who is presented: what the dial string says, what the command says, what the calling leg says. */
function callerOf(calling: Calling, variables: Variables): { name: string; number: string } {
  const leg = calling.caller?.channel;
  const said = (what: 'name' | 'number', given: string | undefined) =>
    variables.get(`origination_caller_id_${what}`) ??
    given ??
    leg?.variables.get(`effective_caller_id_${what}`);
  return {
    name: said('name', calling.callerName) ?? leg?.profile.callerName ?? '',
    number: said('number', calling.callerNumber) ?? leg?.profile.callerNumber ?? '0000000000',
  };
}

/** From of a new leg; sip_from_display and sip_from_uri have the last word. */
function fromOf(name: string, number: string, host: string, variables: Variables): string {
  const display = (variables.get('sip_from_display') ?? name).replace(/["\\]/g, '');
  const uri = variables.get('sip_from_uri') ?? `sip:${number}@${host}`;
  return `${display ? `"${display}" ` : ''}<${uri}>`;
}

/** sip_h_* of the new leg, and the X- headers of the bridging one (sip_copy_custom_headers). */
function customHeaders(caller: Variables | undefined, own: Variables): [string, string][] {
  const headers = new Map<string, string>();
  if (caller?.get('sip_copy_custom_headers') !== 'false') {
    for (const [name, value] of caller ?? []) if (/^sip_h_X-/i.test(name)) headers.set(name.slice(6), value);
  }
  for (const [name, value] of own) if (name.startsWith('sip_h_')) headers.set(name.slice(6), value);
  return [...headers];
}
