import { type Fields, firstOf } from './fields.ts';
import { milliseconds } from './times.ts';

/** Whose a leg is. Empty where the mesh did not send this call, or does not know. */
interface Owner {
  tenantId: string;
  sessionId: string;
  /** Function of the session. */
  function: string;
  /** Agent at the far end, "<username>@<tenant domain>". */
  agentId: string;
  /** Trunk it came or left by. */
  trunkId: string;
  /** W3C traceparent its setup is a part of; empty when it is not traced. */
  trace: string;
}

/** A live channel of FreeSWITCH, whose it is, and what is going on on it. Times are milliseconds since 1970, 0: never. */
export interface Leg extends Owner {
  readonly uuid: string;
  /** SIP Call-ID; of a leg that is called, empty until its INVITE is sent. */
  callId: string;
  /** True when the node calls, false when it was called. */
  readonly outbound: boolean;
  readonly caller: string;
  readonly callee: string;
  /** Since when this agent knows it. */
  readonly knownSince: number;
  readonly createdAt: number;
  progressAt: number;
  answeredAt: number;
  /** When it was first connected to another leg. */
  bridgedAt: number;
  /** How many events of it were told. */
  ordinal: number;
  /** What was already told of it, so that it is told once. */
  rang: boolean;
  hungUp: boolean;
  /** Whether a program was started on it. */
  programmed: boolean;
  /** Who holds: "near" by command, "far" by the far end's re-INVITE, empty when nobody. */
  held: '' | 'near' | 'far';
  /** The leg it is connected to, and the last it was; empty when none. */
  bridgedTo: string;
  lastBridge: string;
  transferred: boolean;
  /** Conference room, without the tenant, and FreeSWITCH's number of the member; empty when in none. */
  room: string;
  member: string;
  /** Files that are being recorded, absolute. */
  recordings: readonly string[];
}

/** FreeSWITCH shows a header X-... of an INVITE as a channel variable of this name. */
const header = (name: string) => `sip_h_X-Callmesh-${name}`;
const SESSION_ID = /^[0-9a-f]{16}$/;
const TENANT_ID = /^[a-z0-9-]{1,63}$/;
/** The SIP profile whose callers are no peers: what they say of the mesh is not to be believed. */
const OUTSIDE = 'carriers';

/**
 * A leg from an event that carries its channel's data. A leg the node called
 * itself has no headers of the mesh of its own: it belongs to the session of the
 * leg it was made for.
 */
export function legOf(fields: Fields, parent: (uuid: string) => Leg | undefined, now: number): Leg {
  const uuid = fields.get('Unique-ID') ?? '';
  const outbound = fields.get('Call-Direction') === 'outbound';
  return {
    uuid,
    callId: fields.variable('sip_call_id') ?? '',
    ...ownerOf(fields, outbound, parent(originOf(fields, uuid))),
    outbound,
    caller: firstOf(fields, ['Caller-Caller-ID-Number', 'Caller-Username']),
    callee: firstOf(fields, ['Caller-Destination-Number']),
    knownSince: now,
    createdAt: milliseconds(fields, 'Caller-Channel-Created-Time') || now,
    progressAt: 0,
    bridgedAt: 0,
    ordinal: 0,
    rang: false,
    hungUp: false,
    ...stateOf(fields),
  };
}

function ownerOf(fields: Fields, outbound: boolean, origin: Leg | undefined): Owner {
  const believed = outbound || fields.variable('sofia_profile_name') !== OUTSIDE;
  const said = (name: string) => (believed ? fields.variable(header(name)) : undefined) ?? '';
  const own = identified(said('Session'), said('Tenant'));
  return {
    tenantId: own ? said('Tenant') : (origin?.tenantId ?? ''),
    sessionId: own ? said('Session') : (origin?.sessionId ?? ''),
    function: own ? said('Function') : (origin?.function ?? ''),
    // What a leg that is called says of agent and trunk in headers is about whoever calls.
    agentId: fields.variable('callmesh_agent') ?? (outbound ? '' : said('Agent')),
    trunkId: fields.variable('callmesh_trunk') ?? (outbound ? '' : said('Trunk')),
    trace: said('Trace') || (origin?.trace ?? ''),
  };
}

/** A call from outside is nobody's until the dialplan has said whose: by variables, later. True: it was said now. */
export function claim(leg: Leg, fields: Fields): boolean {
  leg.agentId ||= fields.variable('callmesh_agent') ?? '';
  leg.trunkId ||= fields.variable('callmesh_trunk') ?? '';
  const session = fields.variable('callmesh_session') ?? '';
  const tenant = fields.variable('callmesh_tenant') ?? '';
  if (leg.sessionId !== '' || !identified(session, tenant)) return false;
  leg.sessionId = session;
  leg.tenantId = tenant;
  return true;
}

function identified(session: string, tenant: string): boolean {
  return SESSION_ID.test(session) && TENANT_ID.test(tenant);
}

/** What a channel's own data tell of a leg that was found, not created before our eyes. */
function stateOf(fields: Fields) {
  const recording = fields.variable('callmesh_recording');
  const inRoom = fields.variable('current_application') === 'conference';
  return {
    answeredAt:
      fields.get('Answer-State') === 'answered' ? milliseconds(fields, 'Caller-Channel-Answered-Time') : 0,
    programmed: Boolean(fields.variable('callmesh_program')),
    held: heldOf(fields),
    bridgedTo: fields.variable('bridge_to') ?? '',
    lastBridge: fields.variable('last_bridge_to') ?? '',
    transferred: fields.variable('callmesh_transferred') === 'true',
    room: inRoom ? roomOf(fields.variable('conference_name') ?? '') : '',
    member: inRoom ? (fields.variable('conference_member_id') ?? '') : '',
    recordings: recording ? [recording] : [],
  };
}

function heldOf(fields: Fields): Leg['held'] {
  if (fields.variable('callmesh_held') === 'true') return 'near';
  return fields.get('Channel-Call-State') === 'HELD' ? 'far' : '';
}

/** A room of FreeSWITCH is "<tenant>.<room>", and a tenant's id has no dot. */
export function roomOf(name: string): string {
  return name.slice(name.indexOf('.') + 1);
}

function originOf(fields: Fields, uuid: string): string {
  const candidates = [
    fields.get('Channel-Call-UUID'),
    fields.get('Other-Leg-Unique-ID'),
    fields.variable('originator'),
  ];
  return candidates.find((candidate) => candidate && candidate !== uuid) ?? '';
}
