import type { NodeRow } from './node-row.ts';
import type { SetIds } from './set-ids.ts';
import { addressOfUri } from './sip-address.ts';

/**
 * Lines of the fallback list, `setid uri flags priority attrs`: per group the
 * nodes that are up. A group of which all are only suspect keeps those: weak
 * evidence against everybody speaks against the observer.
 */
export function dispatcherList(rows: readonly NodeRow[], setIds: SetIds): string[] {
  const groups = Map.groupBy(rows, ({ node }) => node.group);
  const lines: { set: number; line: string }[] = [];
  for (const [group, members] of groups) {
    const set = setIds.get(group);
    if (set === undefined) continue;
    const up = members.filter(({ status }) => status === 'up');
    const usable = up.length > 0 ? up : members.filter(({ status }) => status === 'suspect');
    for (const row of usable) {
      const uri = targetUri(row);
      if (uri) lines.push({ set, line: `${set} ${uri} 0 0 node=${row.node.id}` });
    }
  }
  return lines.sort((a, b) => a.set - b.set).map(({ line }) => line);
}

/** Host, port and transport alone: a file of words takes nothing else from a URI. */
function targetUri({ node }: NodeRow): string | undefined {
  const address = addressOfUri(node.sipUri);
  const transport = /;transport=(udp|tcp|tls)(;|$)/i.exec(node.sipUri)?.[1]?.toLowerCase() ?? 'udp';
  return address && `sip:${address};transport=${transport}`;
}
