import { create } from 'xmlbuilder2';
import type { Gateway } from '../../domain/xml/carriers.ts';

const DOCUMENT = { document: { '@type': 'freeswitch/xml' } };
/** FreeSWITCH skips every line with "<?" in it: no XML declaration, and elements on lines of their own. */
const AS_FREESWITCH_READS = { headless: true, prettyPrint: true };

function section(name: string) {
  return create(DOCUMENT).root().ele('section', { name });
}

/** What FreeSWITCH takes for "ask elsewhere"; anything else but 200 it would log as an error. */
export const NOT_FOUND = section('result').ele('result', { status: 'not found' }).end(AS_FREESWITCH_READS);

/** The carriers as a domain of the directory: FreeSWITCH makes its access list and its gateways of it. */
export function carriersDocument(gateways: readonly Gateway[]): string {
  const users = section('directory')
    .ele('domain', { name: 'carriers' })
    .ele('groups')
    .ele('group', { name: 'trunks' })
    .ele('users');
  for (const { id, cidrs, params } of gateways) {
    const user = users.ele('user', { id, ...(cidrs.length > 0 && { cidr: cidrs.join(',') }) });
    if (!params) continue;
    const gateway = user.ele('gateways').ele('gateway', { name: id });
    for (const [name, value] of Object.entries(params)) gateway.ele('param', { name, value });
  }
  return users.end(AS_FREESWITCH_READS);
}
