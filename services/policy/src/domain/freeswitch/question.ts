import { fail } from '@callmesh/runtime';

/** What FreeSWITCH says of a call it wants to know the way of. */
export interface Question {
  readonly nodeId: string;
  /** Dialplan context. */
  readonly context: string;
  readonly callId: string;
  readonly requestUser: string;
  readonly requestHost: string;
  readonly fromUri: string;
  /** Calling number or user; P-Asserted-Identity where there was one. */
  readonly caller: string;
  readonly callerName: string;
  /** The caller wants to stay unknown (RFC 3323). */
  readonly anonymous: boolean;
  /** Where it came from. */
  readonly sourceAddress: string;
  readonly sourcePort: number;
  readonly transport: string;
  /** X-Callmesh-* of an INVITE from inside; empty where there is none. */
  readonly mesh: {
    readonly session: string;
    readonly tenant: string;
    readonly agent: string;
    readonly trunk: string;
    readonly node: string;
  };
  /** Digest user and realm FreeSWITCH has checked; empty when it has not. */
  readonly login: { readonly user: string; readonly realm: string };
}

/** Dialplan contexts: calls from inside, and from carriers. */
export const MESH = 'mesh';
export const CARRIERS = 'carriers';

type Fields = Readonly<Record<string, string>>;

/** Names a node or whatever it carries can have; anything else was not written by the mesh. */
const SESSION = /^[0-9a-f]{16}$/;
const SLUG = /^[a-z0-9-]{1,63}$/;
const AGENT = /^[A-Za-z0-9._-]{1,64}@[a-z0-9.-]{1,253}$/;

/** Reads the fields of a question. Error: invalid_argument for what no SIP message of use contains. */
export function readQuestion(fields: Fields): Question {
  const read = (name: string, most = 256) => text(name, fields[name] ?? '', most);
  const context = read('Caller-Context');
  const header = (name: string, shape: RegExp) => {
    // A carrier can write them too.
    const value = context === MESH ? read(`variable_sip_h_X-Callmesh-${name}`) : '';
    if (value !== '' && !shape.test(value))
      throw fail('invalid_argument', `X-Callmesh-${name} is not what the mesh writes`, { field: name });
    return value;
  };
  const fromUser = read('variable_sip_from_user');
  return {
    nodeId: fields.hostname ?? '',
    context,
    callId: required('variable_sip_call_id', read('variable_sip_call_id')),
    requestUser: read('variable_sip_req_user'),
    requestHost: read('variable_sip_req_host').toLowerCase(),
    fromUri: `sip:${fromUser}@${read('variable_sip_from_host')}`,
    caller: read('Caller-Caller-ID-Number'),
    callerName: read('Caller-Caller-ID-Name'),
    anonymous: isAnonymous(fromUser, read('variable_sip_Privacy')),
    sourceAddress: read('variable_sip_network_ip'),
    sourcePort: Number(read('variable_sip_network_port')) || 0,
    transport: read('variable_sip_via_protocol') || 'udp',
    mesh: {
      session: header('Session', SESSION),
      tenant: header('Tenant', SLUG),
      agent: header('Agent', AGENT),
      trunk: header('Trunk', SLUG),
      node: header('Node', SLUG),
    },
    login: { user: read('variable_sip_auth_username'), realm: read('variable_sip_auth_realm') },
  };
}

function text(field: string, value: string, most: number): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: refusing them is the point
  if (value.length > most || /[\u0000-\u001f\u007f\ufffd]/.test(value))
    throw fail('invalid_argument', `expected at most ${most} characters of valid UTF-8`, { field });
  return value;
}

function required(field: string, value: string): string {
  if (value === '') throw fail('invalid_argument', 'is missing', { field });
  return value;
}

/** "Privacy: none" asks for nothing; "id", "user", "header" and "critical" do (RFC 3323 section 4.2). */
function isAnonymous(fromUser: string, privacy: string): boolean {
  return /^anonymous$/i.test(fromUser) || /\b(id|user|header)\b/i.test(privacy);
}
