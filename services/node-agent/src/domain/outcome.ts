import type { CallEvent } from '@callmesh/proto/call';

/** What came of a leg, in few words: FreeSWITCH knows some fifty causes. */
export type Outcome = 'answered' | 'busy' | 'no_answer' | 'cancelled' | 'refused' | 'failed';

const CAUSES: Readonly<Record<string, Outcome>> = {
  USER_BUSY: 'busy',
  NO_ANSWER: 'no_answer',
  NO_USER_RESPONSE: 'no_answer',
  ALLOTTED_TIMEOUT: 'no_answer',
  ORIGINATOR_CANCEL: 'cancelled',
  LOSE_RACE: 'cancelled',
  PICKED_OFF: 'cancelled',
  CALL_REJECTED: 'refused',
  UNALLOCATED_NUMBER: 'refused',
  INVALID_NUMBER_FORMAT: 'refused',
  USER_NOT_REGISTERED: 'refused',
  OUTGOING_CALL_BARRED: 'refused',
  INCOMING_CALL_BARRED: 'refused',
  NORMAL_CLEARING: 'cancelled',
};

/** One that was answered succeeded, however it ended. */
export function outcomeOf({ summary, hangupCause }: Pick<CallEvent, 'summary' | 'hangupCause'>): Outcome {
  if (summary?.answeredAt) return 'answered';
  return CAUSES[hangupCause] ?? 'failed';
}
