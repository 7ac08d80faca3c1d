import type { Role } from './model.ts';
import { countOf, limitOf, type NodeRow, type NodeTable } from './node-table.ts';
import type { Trace } from './trace.ts';

/** Step 5, which nodes: those of the group that can take a new session now and were not tried. */
export function findNodes(
  role: Role,
  group: string,
  tried: readonly string[],
  nodes: NodeTable,
  trace: Trace,
): NodeRow[] {
  const eligible: NodeRow[] = [];
  for (const node of nodes.inGroup(role, group)) {
    const refused = whyNot(node, tried);
    if (refused === '') eligible.push(node);
    trace.candidate(node, refused);
  }
  if (trace.verbose) traceOthers(role, group, nodes, trace);
  return eligible;
}

/** Why a node takes no new session; empty when it does. */
export function whyNot(node: NodeRow, tried: readonly string[]): string {
  if (node.status !== 'up') return node.status;
  if (node.load.backend !== 'up') return `its agent reports ${node.load.backend}`;
  if (tried.includes(node.id)) return 'already tried';
  const limit = limitOf(node);
  if (limit > 0 && countOf(node) >= limit) return `full: ${countOf(node)} of ${limit}`;
  return '';
}

function traceOthers(role: Role, group: string, nodes: NodeTable, trace: Trace): void {
  for (const node of nodes.rows()) {
    if (node.role === role && node.group !== group)
      trace.candidate(node, `of group ${node.group || '(none)'}`);
  }
}
