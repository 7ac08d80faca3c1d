import { countOf, limitOf, type NodeRow } from '../node-table.ts';
import type { Strategy } from './strategy.ts';

/** A node without a limit counts as one with this many channels per unit of weight. */
const CHANNELS_PER_WEIGHT = 10;

/** The node with the lowest share of its capacity in use; among equals a random one. */
export const lightest: Strategy = {
  name: 'lightest',

  pick(nodes, { random }) {
    let best = nodes[0]!;
    let bestLoad = relativeLoad(best);
    let equals = 1;
    for (let i = 1; i < nodes.length; i += 1) {
      const load = relativeLoad(nodes[i]!);
      if (load > bestLoad) continue;
      equals = load < bestLoad ? 1 : equals + 1;
      // The n-th equal replaces the others with chance 1/n: each is as likely.
      if (equals === 1 || random() * equals < 1) best = nodes[i]!;
      bestLoad = load;
    }
    return best;
  },

  reason(picked, nodes) {
    const limit = limitOf(picked);
    const mine = `lightest: ${countOf(picked)}${limit > 0 ? ` of ${limit}` : ' sessions'}`;
    let next: NodeRow | undefined;
    for (const node of nodes) {
      if (node !== picked && (!next || relativeLoad(node) < relativeLoad(next))) next = node;
    }
    return next ? `${mine}, next ${countOf(next)}` : `${mine}, the only one`;
  },
};

function relativeLoad(node: NodeRow): number {
  return countOf(node) / (limitOf(node) || node.weight * CHANNELS_PER_WEIGHT);
}
