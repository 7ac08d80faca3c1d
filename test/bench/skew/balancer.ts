import { type Algorithm, dispatcher } from './dispatcher.ts';

export interface SimulatedNode {
  readonly id: string;
  /** Channels. */
  readonly capacity: number;
  sessions: number;
}

/** Whoever gives calls to nodes, by their place in the list. */
export interface Balancer {
  /** Where a call goes that comes to this door. */
  select(callId: string, door: number): number;
  /** The node has taken it. */
  began(node: number, callId: string): void;
  /** It has ended there; `door` is the one it came by. */
  over(node: number, callId: string, door: number): void;
}

/**
 * Kamailios with dispatcher, each counting by itself. Weights in its lists are hundredths of a set,
 * useless for 200 nodes: a node of n times the least capacity is listed n times instead, which every
 * algorithm honours.
 */
export function dispatchers(algorithm: Algorithm, doors: number, nodes: readonly SimulatedNode[]): Balancer {
  const list = listed(nodes);
  const least = Math.min(...nodes.map(({ capacity }) => capacity));
  const each = Array.from({ length: doors }, () =>
    dispatcher(
      algorithm,
      list.map(() => least),
    ),
  );
  // Which line of the list a call took.
  const lines = new Map<string, number>();
  return {
    select(callId, door) {
      const line = each[door % doors]!.select(callId);
      lines.set(callId, line);
      return list[line]!;
    },
    began() {},
    over(_node, callId, door) {
      each[door % doors]!.over(lines.get(callId)!);
      lines.delete(callId);
    },
  };
}

/** Every node once, then those that are listed twice, and so on: neighbours in the list are different nodes. */
function listed(nodes: readonly SimulatedNode[]): number[] {
  const least = Math.min(...nodes.map(({ capacity }) => capacity));
  const times = nodes.map(({ capacity }) => Math.round(capacity / least));
  return Array.from({ length: Math.max(...times) }, (_, round) =>
    times.flatMap((count, node) => (count > round ? [node] : [])),
  ).flat();
}
