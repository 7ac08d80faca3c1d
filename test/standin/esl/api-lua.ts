import type { Channel } from '../node/channel.ts';
import type { StandinNode } from '../node/node.ts';
import { escapeXml } from './event.ts';

/**
 * The two inline scripts the mesh sends: writing a constant, and the XML CDR of a
 * leg (`freeswitch.Session("UUID")` with `getXMLCDR`), whose CDR here has the outline
 * and the variables but not the call flow. Any other script prints nothing.
 */
export function lua(node: StandinNode, script: string): string {
  const uuid = /freeswitch\.Session\("([^"]+)"\)/.exec(script)?.[1];
  if (uuid !== undefined && script.includes('getXMLCDR')) {
    const channel = node.channels.get(uuid);
    return channel ? xmlCdr(node, channel) : '';
  }
  return /^~stream:write\("([^"]*)"\)$/.exec(script)?.[1] ?? '';
}

function xmlCdr(node: StandinNode, channel: Channel): string {
  const variables = [...channel.variables].map(
    ([name, value]) => `    <${name}>${escapeXml(value)}</${name}>\n`,
  );
  return `<cdr core-uuid="${node.coreUuid}" switchname="${node.id}">
  <channel_data>
    <state>${channel.state}</state>
    <direction>${channel.direction}</direction>
    <state_number>4</state_number>
  </channel_data>
  <variables>
${variables.join('')}  </variables>
</cdr>
`;
}
