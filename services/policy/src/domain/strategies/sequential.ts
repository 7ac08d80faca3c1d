import type { Strategy } from './strategy.ts';

/** Nodes in turn, in order of id. Each policy instance takes its own turns. */
export const sequential: Strategy = {
  name: 'sequential',

  pick(nodes, { last }) {
    // After the last one by name, not by place: a node that leaves does not shift the turns.
    return nodes.find(({ id }) => last !== undefined && id > last) ?? nodes[0]!;
  },

  reason(_picked, _nodes, { last }) {
    return last === undefined ? 'sequential: the first' : `sequential: after ${last}`;
  },
};
