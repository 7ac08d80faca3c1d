import { CallEvent } from '@callmesh/proto/call';
import { type NodeCommand, NodeCommandResult } from '@callmesh/proto/command';
import { ResolveDestinationResponse } from '@callmesh/proto/policy';
import { type ErrorCode, fail } from '@callmesh/runtime';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { defaultApplication } from './application.ts';

const LEG = '87c55f32-2001-4f47-bf76-64e75f3a4143';
const arrival = (more: Partial<CallEvent> = {}, ageMs = 0) =>
  CallEvent.fromPartial({
    ...{ event: 'created', role: 'NODE_ROLE_MEDIA', tenantId: 'acme', sessionId: '0123456789abcdef' },
    ...{ legUuid: LEG, nodeId: 'fs-1', nodeEpoch: 'e1', caller: '+49111', callee: '+4930100' },
    ...{ at: new Date(Date.now() - ageMs), ...more },
  });

/** What the application tells the node of an event, when policy and node say this. */
async function told(
  event: CallEvent,
  {
    resolved = { kind: 'RESOLVED_KIND_ECHO' } as Partial<ResolveDestinationResponse>,
    policy = '',
    node = '',
  } = {},
): Promise<NodeCommand[]> {
  const sent: NodeCommand[] = [];
  const answer = defaultApplication({
    decisions: {
      resolve: async () => {
        if (policy) throw fail(policy as ErrorCode, 'refused');
        return ResolveDestinationResponse.fromPartial(resolved);
      },
    },
    send: async (_, command) => {
      sent.push(command);
      return NodeCommandResult.fromPartial({ errorCode: node });
    },
    metrics: { started: () => {} },
    logger: pino({ level: 'silent' }),
    lateMs: 30_000,
  });
  await answer(event);
  return sent;
}
const causeOf = ([command]: NodeCommand[]) => {
  const run = command?.command;
  const step = run?.$case === 'run' ? run.value.program?.steps[0]?.step : undefined;
  return step?.$case === 'hangUp' ? step.value.cause : undefined;
};

describe('the default application', () => {
  it('tells the node once, by a command that does no harm when it comes again', async () => {
    const [command, ...more] = await told(arrival());
    expect(more).toEqual([]);
    expect(command).toMatchObject({
      ...{ commandId: `app-${LEG}`, nodeEpoch: 'e1', tenantId: 'acme', legUuid: LEG },
      command: { $case: 'run', value: { onlyFirst: true } },
    });
  });

  it.each([
    ['a leg we called', arrival({ outbound: true })],
    ['a leg of a router', arrival({ role: 'NODE_ROLE_ROUTER' })],
    ['a leg of nobody', arrival({ tenantId: '' })],
    ['a leg without session', arrival({ sessionId: '' })],
    ['another event', arrival({ event: 'ringing' })],
    ['a call of long ago', arrival({}, 31_000)],
  ])('leaves %s alone', async (_, event) => {
    expect(await told(event)).toEqual([]);
  });

  it('gives a call that was referred what its new destination says, whatever it did before', async () => {
    const referred = { event: 'referred', referredTo: '1002', sequence: 77 };
    for (const outbound of [false, true])
      expect(await told(arrival({ ...referred, outbound }))).toMatchObject([
        { commandId: `refer-${LEG}-77`, command: { $case: 'run', value: { onlyFirst: false } } },
      ]);
  });

  it('leaves a call for control parked', async () => {
    expect(await told(arrival(), { resolved: { kind: 'RESOLVED_KIND_CONTROL' } })).toEqual([]);
  });

  it('says why a number is refused', async () => {
    expect(causeOf(await told(arrival(), { policy: 'unknown_number' }))).toBe('UNALLOCATED_NUMBER');
    expect(causeOf(await told(arrival(), { policy: 'destination_forbidden' }))).toBe('OUTGOING_CALL_BARRED');
  });

  it.each(['unavailable', 'no_node', 'deadline'])(
    'asks again while policy says %s, but not for longer than a caller has patience',
    async (policy) => {
      await expect(told(arrival(), { policy })).rejects.toMatchObject({ code: policy });
      expect(causeOf(await told(arrival({}, 6_000), { policy }))).toBe('NORMAL_TEMPORARY_FAILURE');
    },
  );

  it('tells a node again that did not answer, and none that refused', async () => {
    await expect(told(arrival(), { node: 'outcome_unknown' })).rejects.toMatchObject({
      code: 'outcome_unknown',
    });
    await expect(told(arrival(), { node: 'unavailable' })).rejects.toMatchObject({ code: 'unavailable' });
    // The caller has hung up meanwhile.
    await expect(told(arrival(), { node: 'not_found' })).resolves.toHaveLength(1);
  });
});
