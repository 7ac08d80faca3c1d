import { DesiredState, type Node } from '@callmesh/proto/node';
import type { NodeRow, NodeStatusWord } from './node-row.ts';

/** What etcd itself says, for when the state service does not answer. */
export interface EtcdView {
  /** Registered nodes by id. */
  readonly nodes: ReadonlyMap<string, Node>;
  /** What operators want, by node id. */
  readonly desired: ReadonlyMap<string, DesiredState>;
}

/** A known node that is not registered any more, and since when, milliseconds since 1970. */
export type Absences = Map<string, number>;

/** A node that lost its lease is only suspect this long: etcd or the network may have hiccuped, not the node. */
export const SUSPECT_MS = 10_000;

/**
 * The node table without the state service: what is registered is up, unless an
 * operator wants it empty; what was known and is not registered becomes suspect,
 * then down, and stays: its dialogs must still find out where they moved.
 * `absences` is kept between calls and updated.
 */
export function rowsFromEtcd(
  etcd: EtcdView,
  known: readonly NodeRow[],
  absences: Absences,
  now: number,
): NodeRow[] {
  const rows: NodeRow[] = [...etcd.nodes.values()].map((node) => ({
    node,
    status: registered(etcd.desired.get(node.id)),
  }));
  for (const id of etcd.nodes.keys()) absences.delete(id);
  for (const row of known) {
    if (!etcd.nodes.has(row.node.id)) rows.push({ node: row.node, status: absent(row, absences, now) });
  }
  return rows;
}

function registered(desired: DesiredState | undefined): NodeStatusWord {
  const retire =
    desired === DesiredState.DESIRED_STATE_DRAINING || desired === DesiredState.DESIRED_STATE_DISABLED;
  return retire ? 'draining' : 'up';
}

function absent(row: NodeRow, absences: Absences, now: number): NodeStatusWord {
  if (row.status === 'down') return 'down';
  const since = absences.get(row.node.id) ?? now;
  absences.set(row.node.id, since);
  return now - since < SUSPECT_MS ? 'suspect' : 'down';
}
