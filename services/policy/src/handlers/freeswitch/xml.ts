import { create } from 'xmlbuilder2';
import { type App, safe } from '../../domain/freeswitch/dial-string.ts';

/** A user of the directory as FreeSWITCH wants it. */
export interface DirectoryUser {
  readonly domain: string;
  readonly id: string;
  readonly params: Readonly<Record<string, string>>;
  readonly variables: Readonly<Record<string, string>>;
}

/**
 * FreeSWITCH skips every line with "<?" in it, so there is no XML declaration, and
 * each element has a line of its own.
 */
const AS_FREESWITCH_READS = { headless: true, prettyPrint: true };

function section(name: string) {
  return create({ version: '1.0' }).ele('document', { type: 'freeswitch/xml' }).ele('section', { name });
}

/** What FreeSWITCH does with a call of this context. */
export function dialplanXml(context: string, apps: readonly App[]): string {
  const condition = section('dialplan')
    .ele('context', { name: context })
    .ele('extension', { name: 'callmesh' })
    .ele('condition');
  for (const { application, data } of apps) condition.ele('action', { application, data });
  return condition.end(AS_FREESWITCH_READS);
}

export function directoryXml({ domain, id, params, variables }: DirectoryUser): string {
  const user = section('directory')
    .ele('domain', { name: safe(domain) })
    .ele('user', { id: safe(id) });
  const list = user.ele('params');
  for (const [name, value] of Object.entries(params)) list.ele('param', { name, value: safe(value) });
  const set = user.ele('variables');
  for (const [name, value] of Object.entries(variables)) set.ele('variable', { name, value: safe(value) });
  return user.end(AS_FREESWITCH_READS);
}

/** FreeSWITCH then looks into its own configuration. */
export const notFoundXml = section('result').ele('result', { status: 'not found' }).end(AS_FREESWITCH_READS);
