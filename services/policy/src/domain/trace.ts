import type { NodeRow } from './node-table.ts';

type StepName = 'tenant' | 'admission' | 'function' | 'group' | 'nodes' | 'node' | 'binding';

/** Listens to a decision being made; only Explain pays for it. */
export interface Trace {
  step(name: StepName, outcome: () => string): void;
  /** A node that was looked at, and why it was refused (empty: it was not). */
  candidate(node: NodeRow, refused: string): void;
  /** True when candidates of other groups are wanted too. */
  readonly verbose: boolean;
}

export const silent: Trace = { step() {}, candidate() {}, verbose: false };
