import { LegSummary } from '@callmesh/proto/call';
import { expect, it } from 'vitest';
import { outcomeOf } from './outcome.ts';

const unanswered = LegSummary.fromPartial({});

it('a leg that was answered succeeded, however it ended', () => {
  const summary = LegSummary.fromPartial({ answeredAt: new Date() });
  expect(outcomeOf({ summary, hangupCause: 'NETWORK_OUT_OF_ORDER' })).toBe('answered');
});

it.each([
  ['USER_BUSY', 'busy'],
  ['NO_ANSWER', 'no_answer'],
  ['ORIGINATOR_CANCEL', 'cancelled'],
  ['UNALLOCATED_NUMBER', 'refused'],
  ['NORMAL_TEMPORARY_FAILURE', 'failed'],
  ['a cause of a later FreeSWITCH', 'failed'],
])('%s before an answer is %s', (hangupCause, outcome) => {
  expect(outcomeOf({ summary: unanswered, hangupCause })).toBe(outcome);
});
