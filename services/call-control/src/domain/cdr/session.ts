import { Disposition } from '@callmesh/proto/cdr';
import { unansweredBecause } from './disposition.ts';
import { type EndedBy, endedBy } from './ended-by.ts';
import { earliest, type Leg, latest } from './leg.ts';

/** One session, as its legs make it; fields are those of callmesh.cdr.v1.SessionRecord. */
export interface Session {
  readonly tenantId: string;
  readonly sessionId: string;
  readonly function: string;
  readonly caller: string;
  readonly callee: string;
  readonly startedAt: Date;
  readonly answeredAt: Date | null;
  readonly endedAt: Date | null;
  readonly talkMs: number;
  readonly disposition: Disposition;
  readonly hangupCause: string;
  readonly endedBy: EndedBy;
  readonly nodeIds: readonly string[];
  readonly trunkIds: readonly string[];
  readonly agentIds: readonly string[];
  readonly legs: number;
  readonly transferred: boolean;
  readonly worstMos: number;
}

/** The record of a session from all legs that are known of it; undefined before one has ended. */
export function sessionOf(known: readonly Leg[]): Session | undefined {
  const all = known.toSorted(byStart);
  const media = all.filter(({ role }) => role === 'media');
  const legs = media.length > 0 ? media : all;
  const ended = legs.filter(({ endedAt }) => endedAt);
  const [first, ...others] = legs;
  if (!first || ended.length === 0) return undefined;
  const answeredAt = answerOf(first, others);
  const endedAt = ended.length === legs.length ? latest(ended.map((leg) => leg.endedAt)) : null;
  return {
    tenantId: first.tenantId,
    sessionId: first.sessionId,
    function: first.function || (all.find((leg) => leg.function)?.function ?? ''),
    caller: first.caller,
    callee: first.callee,
    startedAt: first.startedAt,
    answeredAt,
    endedAt,
    talkMs: answeredAt && endedAt ? Math.max(+endedAt - +answeredAt, 0) : 0,
    disposition: dispositionOf(first, others, answeredAt, endedAt),
    hangupCause: first.hangupCause,
    endedBy: endedAt ? endedBy(legs) : '',
    nodeIds: distinct(legs.map(({ nodeId }) => nodeId)),
    // Which carrier took a call is known where it left, which is no media node.
    trunkIds: distinct(all.map(({ trunkId }) => trunkId)),
    agentIds: distinct(answeringAgents(legs)),
    legs: ended.length,
    transferred: legs.some(({ transferred }) => transferred),
    worstMos: worst(legs.map(({ mos }) => mos)),
  };
}

/** The leg that began first; a leg that called in before those it was connected to. */
function byStart(a: Leg, b: Leg): number {
  return (
    +a.startedAt - +b.startedAt ||
    Number(a.outbound) - Number(b.outbound) ||
    (a.legUuid < b.legUuid ? -1 : Number(a.legUuid > b.legUuid))
  );
}

/**
 * When somebody beyond the first leg answered, or an application did, which is when
 * the first leg was answered. An agent who is called first, to be connected with
 * somebody, does not answer the call by taking it.
 */
function answerOf(first: Leg, others: readonly Leg[]): Date | null {
  const isConnected = first.outbound && first.agentId !== '' && others.length > 0;
  return earliest((isConnected ? others : [first, ...others]).map((leg) => leg.answeredAt));
}

function dispositionOf(
  first: Leg,
  others: readonly Leg[],
  answeredAt: Date | null,
  endedAt: Date | null,
): Disposition {
  if (answeredAt) return Disposition.DISPOSITION_ANSWERED;
  return endedAt ? unansweredBecause(first, others) : Disposition.DISPOSITION_UNSPECIFIED;
}

function answeringAgents(legs: readonly Leg[]): string[] {
  return legs
    .filter(({ outbound, answeredAt }) => outbound && answeredAt)
    .toSorted((a, b) => +a.answeredAt! - +b.answeredAt!)
    .map(({ agentId }) => agentId);
}

/** The lowest score; 0 when nobody was heard. */
function worst(scores: readonly (number | null)[]): number {
  return scores.reduce<number>((low, score) => (score && (!low || score < low) ? score : low), 0);
}

function distinct(names: readonly string[]): string[] {
  return [...new Set(names)].filter((name) => name !== '');
}
