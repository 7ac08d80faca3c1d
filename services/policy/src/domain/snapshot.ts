import type { AgentLegs } from './agent-legs.ts';
import type { BindingMemory } from './bindings.ts';
import type { Directory } from './directory.ts';
import type { NodeTable } from './node-table.ts';
import type { Usage } from './usage.ts';

/** All that a decision may look at, besides the request, the clock and the randomness. */
export interface Snapshot {
  readonly directory: Directory;
  readonly nodes: NodeTable;
  readonly bindings: BindingMemory;
  readonly usage: Usage;
  readonly agents: AgentLegs;
  /** Prefixes only tenants that may call premium numbers may call. */
  readonly premiumPrefixes: readonly string[];
  /** Group to the node that was last chosen in it, for strategies that take turns. */
  readonly turns: ReadonlyMap<string, string>;
}
