import { ResolveDestinationResponse, ResolvedKind } from '@callmesh/proto/policy';
import { describe, expect, it } from 'vitest';
import { programFor } from './program.ts';
import { refusalFor } from './refusal.ts';

const dial = {
  groups: [{ legs: [], timeoutS: 20 }],
  callerNumber: '',
  callerName: '',
  continueOn: [],
  parkAfter: false,
  anonymous: false,
};
const resolved = (kind: ResolvedKind, more: Partial<ResolveDestinationResponse> = {}) =>
  ResolveDestinationResponse.fromPartial({ kind, dial, ...more });
const stepsOf = (destination: ResolveDestinationResponse) =>
  programFor(destination)?.steps.map(({ step }) => step?.$case);

describe('the default application', () => {
  it('rings an agent, and ends with whatever that ended with', () => {
    const program = programFor(resolved(ResolvedKind.RESOLVED_KIND_AGENT));
    expect(program?.steps).toEqual([{ step: { $case: 'dial', value: dial } }]);
  });

  it('takes a message for an agent with a mailbox who is not there', () => {
    const agent = resolved(ResolvedKind.RESOLVED_KIND_AGENT, { mailbox: 'alice@acme.example' });
    expect(stepsOf(agent)).toEqual(['dial', 'answer', 'voicemail']);
    const [first] = programFor(agent)!.steps;
    expect(first?.step?.$case === 'dial' && first.step.value.continueOn).toEqual(
      expect.arrayContaining(['NO_ANSWER', 'USER_BUSY', 'SUBSCRIBER_ABSENT']),
    );
  });

  it.each([
    ['RESOLVED_KIND_RING_GROUP', ['dial']],
    ['RESOLVED_KIND_EXTERNAL', ['dial']],
    ['RESOLVED_KIND_CONFERENCE', ['answer', 'conference']],
    ['RESOLVED_KIND_ANNOUNCEMENT', ['answer', 'play', 'hangUp']],
    ['RESOLVED_KIND_VOICEMAIL', ['answer', 'voicemail']],
    ['RESOLVED_KIND_OWN_VOICEMAIL', ['answer', 'voicemail']],
    ['RESOLVED_KIND_ECHO', ['answer', 'echo']],
    ['RESOLVED_KIND_CONTROL', undefined],
  ] as const)('answers %s with %j', (kind, steps) => {
    expect(stepsOf(resolved(kind))).toEqual(steps);
  });

  it.each([
    ['unknown_number', 'UNALLOCATED_NUMBER'],
    ['destination_forbidden', 'OUTGOING_CALL_BARRED'],
    ['internal', 'NORMAL_TEMPORARY_FAILURE'],
  ] as const)('hangs up on %s with %s', (code, cause) => {
    expect(refusalFor(code).steps).toEqual([{ step: { $case: 'hangUp', value: { cause } } }]);
  });
});
