import type { NodeState } from '@callmesh/proto/state';
import { roleName } from '@callmesh/runtime';
import Table from 'cli-table3';
import type { DemoCall } from './calls.ts';

/** A table without lines between its rows. */
function table(head: string[]) {
  return new Table({ head, style: { head: [], border: [], compact: true } });
}

/** The calls, one a row. `media`: with the audio each PBX sent and heard, in packets of 20 ms. */
export function callTable(calls: readonly DemoCall[], { media }: { media: boolean }): string {
  const head = ['call', 'from', 'to', 'answer', 'tenant', 'function', 'group', 'node', 'why', 'setup'];
  const rows = table(media ? [...head, 'sent', 'heard'] : head);
  for (const [index, call] of calls.entries()) {
    const { from, to, status, tenant, group, node, why, setupMs, audio } = call;
    const setup = `${setupMs.toFixed(0)} ms`;
    const row = [index + 1, from, to, status, tenant, call.function, group, node, why, setup];
    const heard = `${audio.received}${audio.loud > 0 ? ` (${audio.loud} tone)` : ''}`;
    rows.push(media ? [...row, audio.sent, heard] : row);
  }
  return rows.toString();
}

/** The node table as state tells it. */
export function nodeTable(states: readonly NodeState[]): string {
  const rows = table(['node', 'role', 'group', 'zone', 'status', 'reason', 'sessions', 'max', 'sip']);
  for (const { node, status, reason, load } of states) {
    if (!node) continue;
    const word = status.replace('NODE_STATUS_', '').toLowerCase();
    const sessions = load?.sessions ?? '?';
    const { id, group, zone, maxSessions, sipUri } = node;
    rows.push([id, roleName(node.role), group, zone, word, reason, sessions, maxSessions || '-', sipUri]);
  }
  return rows.toString();
}
