import { hash32, mix32 } from '../hash.ts';
import type { NodeRow } from '../node-table.ts';
import type { Strategy } from './strategy.ts';

/**
 * The same node for the same key, by weighted rendezvous hashing: every instance
 * finds it without asking, and when a node leaves only its own keys move.
 */
export const hash: Strategy = {
  name: 'hash',

  pick(nodes, { key }) {
    const keyHash = hash32(key);
    let best = nodes[0]!;
    let bestScore = score(best, keyHash);
    for (let i = 1; i < nodes.length; i += 1) {
      const next = score(nodes[i]!, keyHash);
      if (next <= bestScore) continue;
      best = nodes[i]!;
      bestScore = next;
    }
    return best;
  },

  reason(_picked, nodes) {
    return `hash: one of ${nodes.length} by key`;
  },
};

/** Weight over an exponentially distributed number: the highest of several wins in proportion to the weights. */
function score(node: NodeRow, keyHash: number): number {
  const uniform = (mix32(keyHash ^ node.seed) + 0.5) / 2 ** 32;
  return -node.weight / Math.log(uniform);
}
