import { type Fields, firstOf } from './fields.ts';

/** A live channel of FreeSWITCH, and whose it is. */
export interface Leg {
  readonly uuid: string;
  /** SIP Call-ID; of a leg that is called, empty until its INVITE is sent. */
  callId: string;
  /** Empty when the mesh did not send this call. */
  readonly tenantId: string;
  /** Empty when the mesh did not send this call. */
  readonly sessionId: string;
  /** True when the node calls, false when it was called. */
  readonly outbound: boolean;
  readonly caller: string;
  readonly callee: string;
  /** Since when this agent knows it, milliseconds since 1970. */
  readonly knownSince: number;
  /** What was already told of it, so that it is told once. */
  rang: boolean;
  hungUp: boolean;
}

/** FreeSWITCH shows a header X-... of an INVITE as a channel variable of this name. */
const SESSION = 'sip_h_X-Callmesh-Session';
const TENANT = 'sip_h_X-Callmesh-Tenant';
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
  const session = fields.variable(SESSION) ?? '';
  const tenant = fields.variable(TENANT) ?? '';
  const own = SESSION_ID.test(session) && TENANT_ID.test(tenant);
  return {
    uuid,
    callId: fields.variable('sip_call_id') ?? '',
    tenantId: own ? tenant : (origin?.tenantId ?? ''),
    sessionId: own ? session : (origin?.sessionId ?? ''),
    outbound: fields.get('Call-Direction') === 'outbound',
    caller: firstOf(fields, ['Caller-Caller-ID-Number', 'Caller-Username']),
    callee: firstOf(fields, ['Caller-Destination-Number']),
    knownSince: now,
    rang: false,
    hungUp: false,
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
