import { DesiredState, type Node } from '@callmesh/proto/node';
import type { NodeRow } from './node-row.ts';

/** What etcd itself says, for when the state service does not answer. */
export interface EtcdView {
  /** Registered nodes by id. */
  readonly nodes: ReadonlyMap<string, Node>;
  /** What operators want, by node id. */
  readonly desired: ReadonlyMap<string, DesiredState>;
}

/** Since when a known node is missing, by id, milliseconds since 1970. */
export type Absences = Map<string, number>;

/** A missing node is only suspect this long: the store or the network may have hiccuped, not the node. */
const SUSPECT_MS = 10_000;
/** Then it is down, so that its dialogs find out where they moved; after this long it has none left. */
const FORGET_MS = 3_600_000;

/** The node table without the state service: what is registered is up, unless an operator wants it empty. */
export function rowsFromEtcd({ nodes, desired }: EtcdView): NodeRow[] {
  return [...nodes.values()].map((node) => ({
    node,
    status: wantedEmpty(desired.get(node.id)) ? 'draining' : 'up',
  }));
}

/**
 * The current rows, and those known before that are missing without anybody
 * having said that they left: a source that just started, or was wiped, must not
 * cut the dialogs of every node it has not heard of yet. `absences` is kept
 * between calls and updated.
 */
export function withAbsent(
  current: readonly NodeRow[],
  known: readonly NodeRow[],
  absences: Absences,
  now: number,
): NodeRow[] {
  const present = new Set(current.map(({ node }) => node.id));
  for (const id of present) absences.delete(id);
  const missing = known.flatMap((row) => (present.has(row.node.id) ? [] : absent(row, absences, now)));
  return [...current, ...missing];
}

function absent(row: NodeRow, absences: Absences, now: number): NodeRow[] {
  const { id } = row.node;
  const since = absences.get(id) ?? now;
  absences.set(id, since);
  const gone = now - since;
  if (gone >= FORGET_MS) return [];
  return [{ node: row.node, status: gone >= SUSPECT_MS || row.status === 'down' ? 'down' : 'suspect' }];
}

function wantedEmpty(desired: DesiredState | undefined): boolean {
  return desired === DesiredState.DESIRED_STATE_DRAINING || desired === DesiredState.DESIRED_STATE_DISABLED;
}
