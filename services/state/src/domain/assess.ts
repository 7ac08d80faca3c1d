import { BackendState, DesiredState } from '@callmesh/proto/node';
import { NodeStatus } from '@callmesh/proto/state';
import { type Case, type Evidence, evidenceAgainst } from './evidence.ts';
import type { Facts } from './facts.ts';

export interface Assessment {
  readonly status: NodeStatus;
  readonly reason: string;
  /** When the status became what it is, Unix milliseconds. */
  readonly since: number;
  readonly evidence: readonly Evidence[];
}

type Verdict = Omit<Assessment, 'since'>;

/** A report must be this much younger than the wish to drain, ms: a session may have been on its way. */
const SETTLED_MS = 2_000;
/** An answer to SIP is a sign of life for so long, ms. */
const ANSWERED_MS = 2_000;
const CUT_OFF = 'cut off from the mesh, but it answers SIP: its calls go on';

/**
 * What the mesh may do with a node. One weak piece of evidence suspends new
 * sessions; death needs a strong one or two weak ones that agree. `before` is what
 * was said of the same life last.
 */
export function assess(what: Omit<Case, 'held'>, before: Assessment | undefined): Assessment {
  const evidence = evidenceAgainst({ ...what, held: before?.evidence ?? [] });
  const verdict = judge(what, evidence, before);
  return { ...verdict, since: before?.status === verdict.status ? before.since : what.now };
}

function judge(
  { facts, doubt, now }: Omit<Case, 'held'>,
  evidence: Evidence[],
  before?: Assessment,
): Verdict {
  if (isDead(evidence, isCutOff(facts, evidence, now)))
    return { status: NodeStatus.NODE_STATUS_DOWN, reason: said(evidence), evidence };
  if (before?.status === NodeStatus.NODE_STATUS_DOWN && !isBack(facts, evidence, before)) {
    const kept = evidence.length > 0 ? evidence : before.evidence;
    return { status: NodeStatus.NODE_STATUS_DOWN, reason: before.reason, evidence: kept };
  }
  const retiring = retirement(facts);
  if (retiring) return { ...retirementOf(facts, retiring, evidence, before), evidence };
  if (evidence.length > 0) {
    const reason = isCutOff(facts, evidence, now) ? `${said(evidence)}; ${CUT_OFF}` : said(evidence);
    return { status: NodeStatus.NODE_STATUS_SUSPECT, reason, evidence };
  }
  return { status: NodeStatus.NODE_STATUS_UP, reason: upReason(facts, doubt), evidence };
}

function isDead(evidence: readonly Evidence[], cutOff: boolean): boolean {
  // What both stores miss is one observation, when the node is seen to live: it is cut off from them.
  const pieces = cutOff ? evidence.length - 1 : evidence.length;
  return evidence.some((one) => one.strong) || pieces > 1;
}

/** Both stores miss it, and yet it answers SIP. */
function isCutOff({ sipAnsweredAt }: Facts, evidence: readonly Evidence[], now: number): boolean {
  const missed = ['lease-expired', 'load-silent'].every((kind) => evidence.some((one) => one.kind === kind));
  return missed && sipAnsweredAt !== undefined && now - sipAnsweredAt < ANSWERED_MS;
}

/** The dead are back when they report again and nothing speaks against them: half a sign is none. */
function isBack({ loadAt, leaseLostAt }: Facts, evidence: Evidence[], { since }: Assessment): boolean {
  return evidence.length === 0 && leaseLostAt === undefined && loadAt !== undefined && loadAt >= since;
}

function said(evidence: readonly Evidence[]): string {
  return evidence.map((one) => one.detail).join('; ');
}

function retirement({ desired, load }: Facts): string | undefined {
  if (desired === DesiredState.DESIRED_STATE_DRAINING) return 'draining as asked';
  if (desired === DesiredState.DESIRED_STATE_DISABLED) return 'disabled as asked';
  if (load?.backend === BackendState.BACKEND_STATE_PAUSED)
    return `no new sessions: ${load.backendReason || 'paused'}`;
  return undefined;
}

function retirementOf(
  facts: Facts,
  why: string,
  evidence: Evidence[],
  before?: Assessment,
): Omit<Verdict, 'evidence'> {
  const { load, loadAt, desiredAt } = facts;
  const was = before?.status === NodeStatus.NODE_STATUS_DRAINED;
  // The count of a life that does not report is not zero, it is unknown.
  const known = load !== undefined && !evidence.some((one) => one.kind === 'load-silent');
  const empty = load?.sessions === 0 && (was || (known && loadAt! - desiredAt >= SETTLED_MS));
  if (empty) return { status: NodeStatus.NODE_STATUS_DRAINED, reason: `${why}, no sessions left` };
  const left = known ? `${load.sessions} sessions left` : 'sessions unknown';
  return { status: NodeStatus.NODE_STATUS_DRAINING, reason: `${why}, ${left}` };
}

function upReason({ leaseLostAt, load }: Facts, doubt: Case['doubt']): string {
  if (doubt.etcd || doubt.nats) return 'as last known: too many nodes fell silent at once to be dead';
  if (leaseLostAt !== undefined) return 'reporting; registering again';
  return load ? 'registered and reporting' : 'registered';
}
