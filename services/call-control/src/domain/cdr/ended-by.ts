import { type Leg, latest } from './leg.ts';

/** Legs that end this close to each other end by one deed, milliseconds. */
const ONE_DEED_MS = 2_000;

/** Who ended a session; empty when nobody knows. */
export type EndedBy = 'caller' | 'callee' | 'platform' | '';

/**
 * Who ended a session, from its legs, all of which have ended: of those that ended
 * with it, the far end that went first. A leg that called in has a caller at its far
 * end, one that was called a callee. When no far end went, we did it.
 */
export function endedBy(legs: readonly Leg[]): EndedBy {
  const end = Number(latest(legs.map(({ endedAt }) => endedAt)));
  const last = legs.filter((leg) => end - endOf(leg) <= ONE_DEED_MS);
  const went = last
    .filter((leg) => leg.endedBy === 'far')
    .toSorted((a, b) => endOf(a) - endOf(b) || Number(a.outbound) - Number(b.outbound));
  if (went[0]) return went[0].outbound ? 'callee' : 'caller';
  return last.every((leg) => leg.endedBy === 'near') ? 'platform' : '';
}

function endOf({ endedAt }: Leg): number {
  return endedAt!.getTime();
}
