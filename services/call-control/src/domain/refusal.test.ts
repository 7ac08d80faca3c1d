import { NodeCommandResult } from '@callmesh/proto/command';
import { fail } from '@callmesh/runtime';
import { describe, expect, it } from 'vitest';
import { inWordsOf, refusalOf } from './refusal.ts';

const refused = (errorCode: string, errorField = '', errorMessage = 'no') =>
  NodeCommandResult.fromPartial({ errorCode, errorField, errorMessage });

describe('a refusal by a node', () => {
  it.each([
    ['not_found', 'leg_uuid', 'session_gone', 'leg.leg_uuid'],
    ['precondition_failed', 'node_epoch', 'session_gone', 'node_epoch'],
    ['precondition_failed', '', 'precondition_failed', undefined],
    ['deadline', '', 'unavailable', undefined],
    ['unavailable', '', 'unavailable', undefined],
    ['outcome_unknown', '', 'outcome_unknown', undefined],
    ['a_code_of_a_later_release', '', 'internal', undefined],
  ])('%s %s is %s of %s', (code, field, said, own) => {
    expect(refusalOf(refused(code, field), {})).toMatchObject({ code: said, field: own });
  });

  it('names the field as the caller wrote it, also in its text', () => {
    const renamed = { 'run.program.steps[0].': '', 'run.': 'other.' };
    const field = 'run.program.steps[0].conference.room';
    const error = refusalOf(refused('invalid_argument', field, `${field}: expected a room`), renamed);
    expect(error).toMatchObject({ field: 'conference.room', message: 'conference.room: expected a room' });
  });

  it('keeps a field nobody renamed', () => {
    expect(inWordsOf(fail('invalid_argument', 'no', { field: 'x' }), { y: 'z' })).toMatchObject({
      field: 'x',
    });
  });
});
