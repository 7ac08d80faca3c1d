import type { NodeLife } from '@callmesh/proto/session';
import { NodeStatus } from '@callmesh/proto/state';
import type { Row } from '../table.ts';

/** Most legs of nodes that name no limit. */
const NO_LIMIT = 1_000;

/** Whether a life of a node is over: it is down, or another began. A node nobody knows is not said to be dead. */
export function isOver({ nodeId, epoch }: NodeLife, rows: ReadonlyMap<string, Row>): boolean {
  const row = rows.get(nodeId);
  return row !== undefined && (row.status === NodeStatus.NODE_STATUS_DOWN || row.facts.node.epoch !== epoch);
}

/** Gives the calls of one dead node to those of its role and group with the most room, each where the next has most. */
export class Heirs {
  readonly #rows: ReadonlyMap<string, Row>;
  readonly #given = new Map<string, number>();

  constructor(rows: ReadonlyMap<string, Row>) {
    this.#rows = rows;
  }

  /** The heir of a call of so many legs; undefined while nobody has room. The node itself may be it, in a new life. */
  next(deadId: string, legs: number): NodeLife | undefined {
    const dead = this.#rows.get(deadId)?.facts.node;
    let best: { row: Row; share: number } | undefined;
    for (const row of this.#rows.values()) {
      const { node } = row.facts;
      if (row.status !== NodeStatus.NODE_STATUS_UP || node.role !== dead?.role || node.group !== dead.group)
        continue;
      const share = this.#share(row, legs);
      if (share <= 1 && (!best || share < best.share)) best = { row, share };
    }
    if (!best) return undefined;
    const { id, epoch } = best.row.facts.node;
    this.#given.set(id, (this.#given.get(id) ?? 0) + legs);
    return { nodeId: id, epoch };
  }

  /** How full a node is with so many legs more. */
  #share({ facts }: Row, legs: number): number {
    const now = (facts.load?.sessions ?? 0) + (this.#given.get(facts.node.id) ?? 0);
    return (now + legs) / (facts.load?.maxSessions || facts.node.maxSessions || NO_LIMIT);
  }
}
