import type { NodeRow } from '../node-table.ts';
import type { Strategy } from './strategy.ts';

/** A random node, each as likely as its share of the weights. */
export const weightedRandom: Strategy = {
  name: 'weighted-random',

  pick(nodes, { random }) {
    let rest = random() * totalOf(nodes);
    for (const node of nodes) {
      rest -= node.weight;
      if (rest < 0) return node;
    }
    return nodes.at(-1)!;
  },

  reason(picked, nodes) {
    return `weighted-random: weight ${picked.weight} of ${totalOf(nodes)}`;
  },
};

function totalOf(nodes: readonly NodeRow[]): number {
  return nodes.reduce((sum, { weight }) => sum + weight, 0);
}
