import { Disposition } from '@callmesh/proto/cdr';
import type { Leg } from './leg.ts';

/** FreeSWITCH's causes (switch_types.h) that say why nobody answered. */
const CAUSES: Readonly<Record<string, Disposition>> = {
  USER_BUSY: Disposition.DISPOSITION_BUSY,
  NO_ANSWER: Disposition.DISPOSITION_NO_ANSWER,
  NO_USER_RESPONSE: Disposition.DISPOSITION_NO_ANSWER,
  ALLOTTED_TIMEOUT: Disposition.DISPOSITION_NO_ANSWER,
  ORIGINATOR_CANCEL: Disposition.DISPOSITION_CANCELLED,
};

/** Causes that say how the leg was ended, and nothing of why its call was not answered. */
const SILENT = new Set([
  ...['', 'NONE', 'SUCCESS', 'NORMAL_CLEARING', 'NORMAL_UNSPECIFIED', 'MANAGER_REQUEST'],
  ...['LOSE_RACE', 'PICKED_OFF', 'BLIND_TRANSFER', 'ATTENDED_TRANSFER'],
]);

/** How one leg ended; unspecified while it lives and was not answered. */
export function dispositionOf({ answeredAt, endedAt, hangupCause }: Leg): Disposition {
  if (answeredAt) return Disposition.DISPOSITION_ANSWERED;
  if (!endedAt) return Disposition.DISPOSITION_UNSPECIFIED;
  return CAUSES[hangupCause] ?? Disposition.DISPOSITION_FAILED;
}

/** Why nobody answered a session: its first leg's cause, unless that says less than the one of the last leg tried. */
export function unansweredBecause(first: Leg, others: readonly Leg[]): Disposition {
  const tried = others.filter(({ endedAt }) => endedAt).toSorted((a, b) => +b.endedAt! - +a.endedAt!);
  const causes = [first, ...tried].map(({ hangupCause }) => hangupCause);
  return CAUSES[causes.find((cause) => !SILENT.has(cause)) ?? ''] ?? Disposition.DISPOSITION_FAILED;
}
