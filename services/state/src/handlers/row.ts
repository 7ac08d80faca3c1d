import type { NodeState } from '@callmesh/proto/state';
import type { Row } from '../domain/table.ts';

/** A row as gRPC tells it. */
export function toNodeState({ facts, status, reason, since, evidence }: Row): NodeState {
  return {
    node: facts.node,
    status,
    reason,
    since: new Date(since),
    load: facts.load,
    loadAt: facts.loadAt === undefined ? undefined : new Date(facts.loadAt),
    desired: facts.desired,
    evidence: evidence.map((one) => ({ ...one, since: new Date(one.since) })),
  };
}
