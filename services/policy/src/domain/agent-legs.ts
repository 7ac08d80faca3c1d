import type { NodeRow, NodeTable } from './node-table.ts';
import { whyNot } from './nodes.ts';

/** A live leg of an agent on a media node. */
export interface AgentLeg {
  /** Address of record, "<username>@<domain>". */
  readonly agentId: string;
  readonly nodeId: string;
  readonly nodeEpoch: string;
  /** Since when it is known here, Unix milliseconds. */
  readonly since: number;
}

/**
 * Where agents talk, as nodes tell of it. What an agent calls beside a call goes to
 * the same node: it is most often about that call, and an attended transfer connects
 * two legs of one node.
 */
export class AgentLegs {
  readonly #legs = new Map<string, AgentLeg>();
  readonly #ofAgent = new Map<string, Set<string>>();

  get size(): number {
    return this.#legs.size;
  }

  begun(uuid: string, leg: AgentLeg): void {
    this.ended(uuid);
    this.#legs.set(uuid, leg);
    const uuids = this.#ofAgent.get(leg.agentId);
    if (uuids) uuids.add(uuid);
    else this.#ofAgent.set(leg.agentId, new Set([uuid]));
  }

  ended(uuid: string): void {
    const leg = this.#legs.get(uuid);
    if (!leg) return;
    this.#legs.delete(uuid);
    const uuids = this.#ofAgent.get(leg.agentId)!;
    uuids.delete(uuid);
    if (uuids.size === 0) this.#ofAgent.delete(leg.agentId);
  }

  /** The node of the agent's newest leg, if it can take one more session now and was not tried. */
  nodeOf(agentId: string, tried: readonly string[], nodes: NodeTable): NodeRow | undefined {
    const newest = [...(this.#ofAgent.get(agentId) ?? [])].at(-1);
    const leg = newest === undefined ? undefined : this.#legs.get(newest);
    const node = leg && nodes.get(leg.nodeId);
    return node && node.epoch === leg.nodeEpoch && whyNot(node, tried) === '' ? node : undefined;
  }

  /** Forgets legs of which `lives` says that they cannot be any more. */
  sweep(lives: (leg: AgentLeg) => boolean): void {
    for (const [uuid, leg] of this.#legs) if (!lives(leg)) this.ended(uuid);
  }
}
