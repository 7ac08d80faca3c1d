import type { NodeState } from '@callmesh/proto/state';
import { roleName } from '@callmesh/runtime';
import Table from 'cli-table3';
import type { DemoCall } from './scenario.ts';

/** The calls, one a row. */
export function callTable(calls: readonly DemoCall[]): string {
  const head = ['call', 'from', 'to', 'answer', 'tenant', 'function', 'group', 'node', 'why', 'setup'];
  const table = new Table({ head, style: { head: [], border: [], compact: true } });
  for (const [index, call] of calls.entries()) {
    const { from, to, status, tenant, group, node, why, setupMs } = call;
    table.push([
      index + 1,
      from,
      to,
      status,
      tenant,
      call.function,
      group,
      node,
      why,
      `${setupMs.toFixed(0)} ms`,
    ]);
  }
  return table.toString();
}

/** The node table as state tells it. */
export function nodeTable(rows: readonly NodeState[]): string {
  const head = ['node', 'role', 'group', 'zone', 'status', 'reason', 'sessions', 'max', 'sip'];
  const table = new Table({ head, style: { head: [], border: [], compact: true } });
  for (const { node, status, reason, load } of rows) {
    if (!node) continue;
    const word = status.replace('NODE_STATUS_', '').toLowerCase();
    const sessions = load?.sessions ?? '?';
    table.push([
      node.id,
      roleName(node.role),
      node.group,
      node.zone,
      word,
      reason,
      sessions,
      node.maxSessions || '-',
      node.sipUri,
    ]);
  }
  return table.toString();
}
