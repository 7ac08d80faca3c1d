import { createHash } from 'node:crypto';
import { NodeRole } from '@callmesh/proto/node';

/** Sections of FreeSWITCH's configuration that are asked of the mesh. */
export const sections = ['dialplan', 'directory'] as const;
export type Section = (typeof sections)[number];

/** What a node asks: the form of mod_xml_curl. */
export interface Question {
  /** Of the node that asks. */
  readonly role: NodeRole;
  readonly section: Section;
  readonly fields: URLSearchParams;
}

/** Context and directory domain of the carriers, who are strangers. */
const CARRIERS = 'carriers';
const header = (name: string) => `variable_sip_h_X-Callmesh-${name}`;

const CALLED = ['variable_sip_req_user', 'variable_sip_req_host'];
const CALLER = ['variable_sip_from_user', 'variable_sip_from_host'];
const SHOWN = ['Caller-Caller-ID-Number', 'variable_sip_Privacy'];

/** The traceparent a call came with; what a stranger writes is none. */
export function traceOf({ fields }: Question): string {
  return fields.get('Caller-Context') === CARRIERS ? '' : (fields.get(header('Trace')) ?? '');
}

/**
 * What an answer depends on, by what is asked; everything else FreeSWITCH posts is of
 * one call or one moment. Two questions alike in these may get the same answer.
 */
const DECIDING = {
  toAgent: [header('Tenant'), ...CALLED],
  fromAgent: [header('Tenant'), header('Agent'), ...CALLED, ...CALLER],
  toCarrier: [header('Tenant'), header('Trunk'), ...CALLED, ...CALLER, ...SHOWN],
  // The headers of the mesh are not believed where a stranger can write them.
  fromCarrier: [
    ...CALLED,
    ...CALLER,
    ...SHOWN,
    'variable_sip_network_ip',
    'variable_sip_network_port',
    'variable_sip_auth_username',
    'variable_sip_auth_realm',
  ],
  user: [
    'key_name',
    'key_value',
    'domain',
    'user',
    'action',
    'purpose',
    'sip_auth_username',
    'sip_auth_realm',
  ],
} as const;
type Kind = keyof typeof DECIDING;

/** Names a question by what its answer depends on. */
export function answerKey(question: Question): string {
  const kind = kindOf(question);
  const values = DECIDING[kind].map((name) => question.fields.get(name));
  return createHash('sha256')
    .update(JSON.stringify([kind, values]))
    .digest('base64url');
}

/** A door names the node it sends to, a node does not. */
function kindOf({ role, section, fields }: Question): Kind {
  if (section === 'directory') return 'user';
  if (fields.get('Caller-Context') === CARRIERS) return 'fromCarrier';
  if (role === NodeRole.NODE_ROLE_TANDEM) return 'toCarrier';
  return fields.has(header('Node')) ? 'fromAgent' : 'toAgent';
}

/** The domain of the directory that this node answers for itself: the trunks of carriers. */
export function asksForCarriers(section: Section, fields: URLSearchParams): boolean {
  return section === 'directory' && (fields.get('domain') ?? fields.get('key_value')) === CARRIERS;
}
