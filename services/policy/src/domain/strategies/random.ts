import type { Strategy } from './strategy.ts';

/** Any node, each as likely. */
export const random: Strategy = {
  name: 'random',

  pick(nodes, context) {
    return nodes[Math.floor(context.random() * nodes.length)]!;
  },

  reason(_picked, nodes) {
    return `random: one of ${nodes.length}`;
  },
};
