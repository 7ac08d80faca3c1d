import { BackendState, DesiredState } from '@callmesh/proto/node';
import { NodeStatus } from '@callmesh/proto/state';
import { type Evidence, evidenceAgainst } from './evidence.ts';
import type { Facts, Limits, Sources } from './facts.ts';

export interface Assessment {
  readonly status: NodeStatus;
  readonly reason: string;
  readonly evidence: readonly Evidence[];
}

/**
 * What the mesh may do with a node. One weak piece of evidence suspends new
 * sessions; death needs a strong one or two weak ones that agree.
 */
export function assess(facts: Facts, sources: Sources, limits: Limits, now: number): Assessment {
  const evidence = evidenceAgainst(facts, sources, limits, now);
  const dead = evidence.some((one) => one.strong) || evidence.length > 1;
  if (dead) return { status: NodeStatus.NODE_STATUS_DOWN, reason: said(evidence), evidence };
  if (evidence.length > 0)
    return { status: NodeStatus.NODE_STATUS_SUSPECT, reason: said(evidence), evidence };
  const retiring = retirement(facts);
  if (!retiring) return { status: NodeStatus.NODE_STATUS_UP, reason: upReason(facts, sources), evidence };
  // The count of a life that has not reported is not zero, it is unknown.
  if (facts.load?.sessions === 0)
    return { status: NodeStatus.NODE_STATUS_DRAINED, reason: `${retiring}, no sessions left`, evidence };
  const left = facts.load ? `${facts.load.sessions} sessions left` : 'sessions unknown';
  return { status: NodeStatus.NODE_STATUS_DRAINING, reason: `${retiring}, ${left}`, evidence };
}

function said(evidence: readonly Evidence[]): string {
  return evidence.map((one) => one.detail).join('; ');
}

function retirement({ desired, load }: Facts): string | undefined {
  if (desired === DesiredState.DESIRED_STATE_DRAINING) return 'draining as asked';
  if (desired === DesiredState.DESIRED_STATE_DISABLED) return 'disabled as asked';
  if (load?.backend === BackendState.BACKEND_STATE_PAUSED) return 'the server refuses new sessions (paused)';
  return undefined;
}

function upReason({ leaseLostAt, load }: Facts, { etcdSince, natsSince }: Sources): string {
  if (etcdSince === undefined || natsSince === undefined) return 'as last known: a store is silent';
  if (leaseLostAt !== undefined) return 'reporting; registering again';
  return load ? 'registered and reporting' : 'registered';
}
