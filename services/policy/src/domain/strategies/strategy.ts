import type { Random } from '../model.ts';
import type { NodeRow } from '../node-table.ts';

interface PickContext {
  /** What sessions that belong together have in common: affinity key or Call-ID, with the tenant. */
  readonly key: string;
  /** Id of the node chosen before in this group; undefined at the first. */
  readonly last: string | undefined;
  readonly random: Random;
}

/** Picks a node of a group. To add one: a file beside this, an entry in the registry, a golden scenario. */
export interface Strategy {
  /** As it is written in a node group. */
  readonly name: string;
  /** Picks one of `nodes`: never empty, in order of id, all able to take the session. Asked again for each alternate. */
  pick(nodes: readonly NodeRow[], context: PickContext): NodeRow;
  /** Why the first one was picked out of `nodes`, for a person. */
  reason(picked: NodeRow, nodes: readonly NodeRow[], context: PickContext): string;
}
