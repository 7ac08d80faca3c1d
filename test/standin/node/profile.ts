import { cseqOf, type SipRequest } from '../sip/message.ts';
import type { Peer } from '../sip/transport.ts';
import { parseNameAddr, parseUri, parseVia, tagOf } from '../sip/uri.ts';

/** FreeSWITCH's caller profile: who calls whom, as dialplan conditions and events name it. */
export interface CallerProfile {
  username: string;
  callerName: string;
  callerNumber: string;
  destination: string;
  networkAddr: string;
  context: string;
  /** Set on calls going out. */
  calleeNumber?: string;
}

/** What an INVITE says of its caller. */
export function profileOf(request: SipRequest, peer: Peer, context: string): CallerProfile {
  const from = parseNameAddr(request.headers.get('from') ?? '');
  const user = decode(parseUri(from.uri)?.user ?? '');
  return {
    username: user,
    callerName: from.display ?? user,
    callerNumber: user,
    destination: decode(parseUri(request.uri)?.user ?? ''),
    networkAddr: peer.host,
    context,
  };
}

/** The channel variables sofia sets from an INVITE, in its order (less those of video). */
export function invitationVariables(request: SipRequest, peer: Peer, stampUs: number): [string, string][] {
  const { headers } = request;
  const vars: [string, string][] = [];
  const addUri = (prefix: string, uri: string) => {
    const parsed = parseUri(uri);
    if (!parsed) return;
    const user = parsed.user === undefined ? '' : `${parsed.user}@`;
    const port = parsed.port === undefined ? '' : `:${parsed.port}`;
    if (parsed.user !== undefined) vars.push([`${prefix}_user`, parsed.user]);
    if (parsed.port !== undefined) vars.push([`${prefix}_port`, String(parsed.port)]);
    vars.push([`${prefix}_uri`, `${user}${parsed.host}${port}`], [`${prefix}_host`, parsed.host]);
  };
  const from = headers.get('from') ?? '';
  const to = headers.get('to') ?? '';
  const via = headers.list('via')[0] ?? '';
  addUri('sip_from', parseNameAddr(from).uri);
  vars.push(['sip_call_id', headers.get('call-id') ?? '']);
  vars.push(['sip_network_ip', peer.host], ['sip_network_port', String(peer.port)]);
  vars.push(['sip_invite_stamp', String(stampUs)]);
  vars.push(
    ['sip_received_ip', peer.host],
    ['sip_received_port', String(peer.port)],
    ['sip_via_protocol', peer.transport],
  );
  vars.push(['sip_from_tag', tagOf(from) ?? ''], ['sip_full_via', headers.all('via').join(', ')]);
  vars.push(['sip_full_from', from], ['sip_full_to', to]);
  addUri('sip_req', request.uri);
  addUri('sip_to', parseNameAddr(to).uri);
  addUri('sip_contact', parseNameAddr(headers.list('contact')[0] ?? '').uri);
  const routes = headers.all('record-route');
  if (routes.length > 0) vars.push(['sip_invite_record_route', routes.join(',')]);
  const agent = headers.get('user-agent');
  if (agent) vars.push(['sip_user_agent', agent]);
  const parsedVia = parseVia(via);
  if (parsedVia)
    vars.push(['sip_via_host', parsedVia.host], ['sip_via_port', String(parsedVia.port ?? 5060)]);
  vars.push(['max_forwards', headers.get('max-forwards') ?? '70']);
  for (const { name, value } of headers.fields) if (/^[XP]-/i.test(name)) vars.push([`sip_h_${name}`, value]);
  vars.push(['sip_cseq', String(cseqOf(request).number)], ['sip_local_network_addr', peer.host]);
  if (request.body) vars.push(['switch_r_sdp', request.body], ...codecVariables());
  return vars;
}

/** Every call of a stand-in is 8 kHz PCMU. */
function codecVariables(): [string, string][] {
  return [
    ['rtp_use_codec_string', 'PCMU,PCMA'],
    ['remote_audio_media_flow', 'sendrecv'],
    ['audio_media_flow', 'sendrecv'],
    ['rtp_audio_recv_pt', '0'],
    ['rtp_use_codec_name', 'PCMU'],
    ['rtp_use_codec_rate', '8000'],
    ['rtp_use_codec_ptime', '20'],
    ['read_codec', 'PCMU'],
    ['read_rate', '8000'],
    ['write_codec', 'PCMU'],
    ['write_rate', '8000'],
    ['dtmf_type', 'info'],
  ];
}

/** The Caller-* (or Other-Leg-*) fields of an event. */
export function profileHeaders(
  prefix: string,
  profile: CallerProfile,
  leg: { uuid: string; direction: string; name: string; source: string; times: ChannelTimes },
): [string, string][] {
  const fields: [string, string][] = [
    ['Direction', leg.direction],
    ['Logical-Direction', leg.direction],
  ];
  if (profile.username) fields.push(['Username', profile.username]);
  fields.push(['Dialplan', 'XML']);
  if (profile.callerName) fields.push(['Caller-ID-Name', profile.callerName]);
  fields.push(['Caller-ID-Number', profile.callerNumber]);
  if (profile.callerName) fields.push(['Orig-Caller-ID-Name', profile.callerName]);
  fields.push(['Orig-Caller-ID-Number', profile.callerNumber]);
  if (profile.calleeNumber !== undefined) {
    fields.push(['Callee-ID-Name', 'Outbound Call'], ['Callee-ID-Number', profile.calleeNumber]);
  }
  if (profile.networkAddr) fields.push(['Network-Addr', profile.networkAddr]);
  fields.push(['ANI', profile.callerNumber], ['Destination-Number', profile.destination]);
  fields.push(['Unique-ID', leg.uuid], ['Source', leg.source], ['Context', profile.context]);
  fields.push(
    ['Channel-Name', leg.name],
    ['Profile-Index', '1'],
    ['Profile-Created-Time', String(leg.times.created)],
  );
  for (const [name, us] of TIME_NAMES) fields.push([`Channel-${name}-Time`, String(leg.times[us] ?? 0)]);
  fields.push(['Channel-Last-Hold', String(leg.times.lastHold ?? 0)], ['Channel-Hold-Accum', '0']);
  fields.push(['Screen-Bit', 'true'], ['Privacy-Hide-Name', 'false'], ['Privacy-Hide-Number', 'false']);
  return fields.map(([name, value]) => [`${prefix}-${name}`, value]);
}

/** Microseconds since 1970; absent or 0 while it has not happened. */
export interface ChannelTimes {
  created: number;
  answered?: number;
  progress?: number;
  progressMedia?: number;
  hangup?: number;
  transfer?: number;
  resurrect?: number;
  bridged?: number;
  lastHold?: number;
}

const TIME_NAMES: [string, keyof ChannelTimes][] = [
  ['Created', 'created'],
  ['Answered', 'answered'],
  ['Progress', 'progress'],
  ['Progress-Media', 'progressMedia'],
  ['Hangup', 'hangup'],
  ['Transfer', 'transfer'],
  ['Resurrect', 'resurrect'],
  ['Bridged', 'bridged'],
];

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
