import { XMLParser } from 'fast-xml-parser';
import type { CallLeg } from './call.ts';
import type { Action } from './dialplan.ts';
import { matchExtension, type XmlNode } from './extension.ts';
import { formatForm } from './form.ts';
import type { StandinNode } from './node.ts';

const parser = new XMLParser({ ignoreAttributes: false, preserveOrder: true, attributeNamePrefix: '' });

/**
 * Asks mod_xml_curl's URL for the dialplan of a call: the form FreeSWITCH posts,
 * the answer's first matching extension. undefined when the URL fails, is slow, or
 * says "not found": FreeSWITCH then has no route.
 */
export async function fetchDialplan(node: StandinNode, leg: CallLeg): Promise<Action[] | undefined> {
  const { channel } = leg;
  const body = formatForm([
    ['hostname', node.id],
    ['section', 'dialplan'],
    ['tag_name', ''],
    ['key_name', ''],
    ['key_value', ''],
    ...node.board.stamp('REQUEST_PARAMS'),
    ...channel.allHeaders(),
    ...channel
      .basicHeaders()
      .flatMap(([name, value]): [string, string][] =>
        name.startsWith('Caller-') ? [[name.replace('Caller-', 'Hunt-'), value]] : [],
      ),
  ]);
  try {
    const url = new URL(node.settings.dialplanUrl);
    const headers: Record<string, string> = {
      'content-type': 'application/x-www-form-urlencoded',
      'user-agent': 'freeswitch-xml/1.0',
    };
    // gateway-credentials of xml_curl.conf come as user:password in the URL.
    if (url.username) {
      const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
      headers.authorization = `Basic ${Buffer.from(pair).toString('base64')}`;
      url.username = '';
      url.password = '';
    }
    const signal = AbortSignal.timeout(node.settings.dialplanTimeoutMs);
    const response = await fetch(url, { method: 'POST', body, headers, signal });
    if (response.status !== 200) return undefined;
    return matchExtension(
      parser.parse(await response.text()) as XmlNode[],
      channel.profile,
      channel.variables,
    );
  } catch {
    return undefined;
  }
}
