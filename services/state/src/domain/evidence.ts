import { BackendState } from '@callmesh/proto/node';
import type { Facts, Limits, Sources } from './facts.ts';

/** One observation that speaks against a node. */
export interface Evidence {
  readonly kind: 'lease-expired' | 'load-silent' | 'backend-down' | 'backend-stuck';
  /** Unix milliseconds. */
  readonly since: number;
  readonly detail: string;
  /** Alone enough to call the node dead. */
  readonly strong: boolean;
}

/**
 * All that speaks against a node now. A silent store proves nothing: while etcd
 * is away no lease is missed, while NATS is away no report is.
 */
export function evidenceAgainst(facts: Facts, sources: Sources, limits: Limits, now: number): Evidence[] {
  return [
    backendDown(facts),
    leaseExpired(facts, sources, limits, now),
    loadSilent(facts, sources, limits, now),
    backendStuck(facts),
  ].filter((found) => found !== undefined);
}

function backendDown({ reportedDown }: Facts): Evidence | undefined {
  if (!reportedDown) return undefined;
  const detail = `its agent reports: ${reportedDown.reason || 'the server is gone'}`;
  return { kind: 'backend-down', since: reportedDown.at, detail, strong: true };
}

function backendStuck({ load, loadAt }: Facts): Evidence | undefined {
  if (load?.backend !== BackendState.BACKEND_STATE_STUCK) return undefined;
  const detail = `its agent reports: ${load.backendReason || 'connected, but no answer'}`;
  return { kind: 'backend-stuck', since: loadAt!, detail, strong: false };
}

function leaseExpired(
  facts: Facts,
  { etcdSince }: Sources,
  limits: Limits,
  now: number,
): Evidence | undefined {
  const { leaseLostAt } = facts;
  if (leaseLostAt === undefined || etcdSince === undefined) return undefined;
  // Lost while etcd was away or just back: every node has to register again, so give it time to.
  const lostWhileWell = leaseLostAt - etcdSince >= limits.graceMs;
  if (!lostWhileWell && now - etcdSince < limits.graceMs) return undefined;
  return { kind: 'lease-expired', since: leaseLostAt, detail: 'not registered in etcd', strong: false };
}

function loadSilent(facts: Facts, sources: Sources, limits: Limits, now: number): Evidence | undefined {
  const { natsSince, somebodyReports, registered } = sources;
  if (natsSince === undefined) return undefined;
  const since = Math.max(facts.loadAt ?? facts.seenAt, natsSince);
  if (now - since <= limits.silenceMs && facts.loadAt !== undefined) return undefined;
  // A bus on which nobody is heard is to blame itself, not its nodes one by one.
  if (!somebodyReports && registered > 1 && facts.loadAt !== undefined) return undefined;
  const detail =
    facts.loadAt === undefined
      ? 'no load report yet'
      : `no load report for ${((now - facts.loadAt) / 1000).toFixed(1)} s`;
  return { kind: 'load-silent', since, detail, strong: false };
}
