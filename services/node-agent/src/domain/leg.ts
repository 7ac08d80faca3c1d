import { type Fields, firstOf } from './fields.ts';

/** A live channel of FreeSWITCH, whose it is, and what is going on on it. */
export interface Leg {
  readonly uuid: string;
  /** SIP Call-ID; of a leg that is called, empty until its INVITE is sent. */
  callId: string;
  /** Empty when the mesh did not send this call. */
  readonly tenantId: string;
  /** Empty when the mesh did not send this call. */
  readonly sessionId: string;
  /** Function of the session; empty when unknown. */
  readonly function: string;
  /** Agent at the far end; empty when none. */
  readonly agentId: string;
  /** Trunk it came or left by; empty when none or unknown. */
  readonly trunkId: string;
  /** True when the node calls, false when it was called. */
  readonly outbound: boolean;
  readonly caller: string;
  readonly callee: string;
  /** Since when this agent knows it, milliseconds since 1970. */
  readonly knownSince: number;
  /** How many events of it were told. */
  ordinal: number;
  /** What was already told of it, so that it is told once. */
  rang: boolean;
  answered: boolean;
  hungUp: boolean;
  /** Whether a program was started on it. */
  programmed: boolean;
  /** Who holds: "near" by command, "far" by the far end's re-INVITE, empty when nobody. */
  held: '' | 'near' | 'far';
  /** The leg it is connected to, and the last it was; empty when none. */
  bridgedTo: string;
  lastBridge: string;
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

/**
 * A leg from an event that carries its channel's data. A leg the node called
 * itself has no headers of the mesh of its own: it belongs to the session of the
 * leg it was made for.
 */
export function legOf(fields: Fields, parent: (uuid: string) => Leg | undefined, now: number): Leg {
  const uuid = fields.get('Unique-ID') ?? '';
  const origin = parent(originOf(fields, uuid));
  const session = fields.variable(header('Session')) ?? '';
  const tenant = fields.variable(header('Tenant')) ?? '';
  const own = SESSION_ID.test(session) && TENANT_ID.test(tenant);
  const outbound = fields.get('Call-Direction') === 'outbound';
  return {
    uuid,
    callId: fields.variable('sip_call_id') ?? '',
    tenantId: own ? tenant : (origin?.tenantId ?? ''),
    sessionId: own ? session : (origin?.sessionId ?? ''),
    function: (own ? fields.variable(header('Function')) : origin?.function) ?? '',
    // What a leg that is called says of agent and trunk in headers is about whoever calls.
    agentId: fields.variable(outbound ? 'callmesh_agent' : header('Agent')) ?? '',
    trunkId: fields.variable(outbound ? 'callmesh_trunk' : header('Trunk')) ?? '',
    outbound,
    caller: firstOf(fields, ['Caller-Caller-ID-Number', 'Caller-Username']),
    callee: firstOf(fields, ['Caller-Destination-Number']),
    knownSince: now,
    ordinal: 0,
    rang: false,
    hungUp: false,
    ...stateOf(fields),
  };
}

/** What a channel's own data tell of a leg that was found, not created before our eyes. */
function stateOf(fields: Fields) {
  const recording = fields.variable('callmesh_recording');
  return {
    answered: fields.get('Answer-State') === 'answered',
    programmed: Boolean(fields.variable('callmesh_program')),
    held: fields.variable('callmesh_held') === 'true' ? ('near' as const) : ('' as const),
    bridgedTo: fields.variable('bridge_to') ?? '',
    lastBridge: fields.variable('last_bridge_to') ?? '',
    room: '',
    member: '',
    recordings: recording ? [recording] : [],
  };
}

function originOf(fields: Fields, uuid: string): string {
  const candidates = [
    fields.get('Channel-Call-UUID'),
    fields.get('Other-Leg-Unique-ID'),
    fields.variable('originator'),
  ];
  return candidates.find((candidate) => candidate && candidate !== uuid) ?? '';
}
