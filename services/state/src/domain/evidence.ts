import { BackendState } from '@callmesh/proto/node';
import { type Facts, isLate, type Limits, type Sources } from './facts.ts';

/** One observation that speaks against a node. */
export interface Evidence {
  readonly kind: 'lease-expired' | 'lease-revoked' | 'load-silent' | 'backend-down' | 'backend-stuck';
  /** Unix milliseconds. */
  readonly since: number;
  readonly detail: string;
  /** Alone enough to call the node dead. */
  readonly strong: boolean;
}

/** Which stores are themselves to blame for what is missing; see doubt.ts. */
export interface Doubt {
  readonly etcd: boolean;
  readonly nats: boolean;
}

/** Everything a piece of evidence is judged by. */
export interface Case {
  readonly facts: Facts;
  /** What spoke against this life before. */
  readonly held: readonly Evidence[];
  readonly sources: Sources;
  readonly doubt: Doubt;
  readonly limits: Limits;
  readonly now: number;
}

/** Without a lease but reporting, a node is given this long to register again, ms: there is no hurry. */
const LEASE_ALONE_MS = 1_500;

/**
 * All that speaks against a node now. A store that is silent, or was until just
 * now, proves nothing new and takes nothing back: what was held against a node
 * stays until the node itself gives a sign of life.
 */
export function evidenceAgainst(what: Case): Evidence[] {
  const silent = loadSilent(what);
  return [backendDown(what.facts), leaseExpired(what, silent !== undefined), silent, backendStuck(what.facts)]
    .filter((found) => found !== undefined)
    .filter(
      (found, _, all) => found.kind !== 'lease-expired' || !all.some((one) => one.kind === 'lease-revoked'),
    );
}

function backendDown({ reportedDown, leaseLostAt }: Facts): Evidence | undefined {
  if (!reportedDown) return undefined;
  // An agent that says goodbye gives back its lease; one whose server died does too.
  const kind = leaseLostAt === undefined ? 'backend-down' : 'lease-revoked';
  const detail = `its agent reports: ${reportedDown.reason || 'the server is gone'}`;
  return { kind, since: reportedDown.at, detail, strong: true };
}

function backendStuck({ load, loadAt }: Facts): Evidence | undefined {
  if (load?.backend !== BackendState.BACKEND_STATE_STUCK) return undefined;
  const detail = `its agent reports: ${load.backendReason || 'connected, but no answer'}`;
  return { kind: 'backend-stuck', since: loadAt!, detail, strong: false };
}

function leaseExpired(
  { facts, held, sources, doubt, limits, now }: Case,
  silent: boolean,
): Evidence | undefined {
  const { leaseLostAt } = facts;
  if (leaseLostAt === undefined) return undefined;
  const before = held.find((one) => one.kind === 'lease-expired' && one.since === leaseLostAt);
  if (before) return before;
  if (!isTrusted(sources.etcdSince, limits, now) || doubt.etcd) return undefined;
  if (!silent && now - leaseLostAt < LEASE_ALONE_MS) return undefined;
  return { kind: 'lease-expired', since: leaseLostAt, detail: 'not registered in etcd', strong: false };
}

function loadSilent({ facts, held, sources, doubt, limits, now }: Case): Evidence | undefined {
  const since = facts.loadAt ?? facts.seenAt;
  const before = held.find((one) => one.kind === 'load-silent' && one.since === since);
  if (before) return before;
  if (sources.natsSince === undefined) return undefined;
  // What never reported was never known to work: that needs no patience.
  if (facts.loadAt === undefined)
    return { kind: 'load-silent', since, detail: 'no load report yet', strong: false };
  if (!isTrusted(sources.natsSince, limits, now) || doubt.nats) return undefined;
  if (!isLate(facts, sources, limits.silenceMs)) return undefined;
  const detail = `no load report for more than ${limits.silenceMs / 1000} s`;
  return { kind: 'load-silent', since, detail, strong: false };
}

/** A store that has just come back is given time in which nodes come back to it. */
function isTrusted(since: number | undefined, { graceMs }: Limits, now: number): boolean {
  return since !== undefined && now - since >= graceMs;
}
