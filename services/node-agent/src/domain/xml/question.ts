import { createHash } from 'node:crypto';

/** Sections of FreeSWITCH's configuration that are asked of the mesh. */
export const sections = ['dialplan', 'directory'] as const;
export type Section = (typeof sections)[number];

/**
 * What an answer depends on; everything else FreeSWITCH posts is of one call or one
 * moment. Two questions alike in these may get the same answer while policy is away.
 */
const DECIDING: Readonly<Record<Section, readonly string[]>> = {
  dialplan: [
    'Caller-Context',
    'Caller-Destination-Number',
    'Caller-Caller-ID-Number',
    'variable_sip_req_host',
    'variable_sip_from_user',
    'variable_sip_from_host',
    'variable_sip_Privacy',
    'variable_sip_auth_username',
    'variable_sip_auth_realm',
    'variable_sip_h_X-Callmesh-Tenant',
    'variable_sip_h_X-Callmesh-Function',
    'variable_sip_h_X-Callmesh-Agent',
    'variable_sip_h_X-Callmesh-Trunk',
  ],
  directory: [
    'key_name',
    'key_value',
    'domain',
    'user',
    'action',
    'purpose',
    'sip_auth_username',
    'sip_auth_realm',
  ],
};
/** Where a call came from decides only where strangers call in. */
const SOURCE = ['variable_sip_network_ip', 'variable_sip_network_port'];
const STRANGERS = 'carriers';

/** Names a question by what its answer depends on. */
export function answerKey(section: Section, fields: URLSearchParams): string {
  const names =
    fields.get('Caller-Context') === STRANGERS ? [...DECIDING[section], ...SOURCE] : DECIDING[section];
  const values = names.map((name) => fields.get(name));
  return createHash('sha256')
    .update(JSON.stringify([section, values]))
    .digest('base64url');
}

/** The domain of the directory that this node answers for itself: the trunks of carriers. */
export function asksForCarriers(section: Section, fields: URLSearchParams): boolean {
  return section === 'directory' && (fields.get('domain') ?? fields.get('key_value')) === STRANGERS;
}
