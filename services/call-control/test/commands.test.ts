import { CallEvent } from '@callmesh/proto/call';
import { CallControlServiceService } from '@callmesh/proto/control';
import { Binding } from '@callmesh/proto/session';
import { fail } from '@callmesh/runtime';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Desk, GLOBEX, type Rpc } from './desk.ts';

const SESSION = '0123456789abcdef';
const FOREIGN = 'fedcba9876543210';
const LEG = '87c55f32-2001-4f47-bf76-64e75f3a4143';
const OTHER = '97c55f32-2001-4f47-bf76-64e75f3a4144';
const leg = { tenantId: 'acme', sessionId: SESSION, legUuid: LEG };
const MEDIA = { nodeId: 'fs-media-1', nodeEpoch: 'e1' };
const binding = (tenantId: string, more = MEDIA) =>
  Binding.fromPartial({ tenantId, ...more, role: 'NODE_ROLE_MEDIA', function: 'FUNCTION_OUTBOUND_BOT' });
const program = { steps: [{ step: { $case: 'answer', value: {} } }] };
const collect = { minDigits: 1, maxDigits: 4, terminators: '#', timeoutMs: 5_000, digitTimeoutMs: 0 };
const hop = { uri: 'sip:alice@acme.example', nextHop: 'sip:127.0.0.1:5070', nodeId: 'fs-router-1' };
const dial = {
  groups: [{ legs: [{ hops: [hop], agentId: 'alice@acme.example', trunkId: '' }], timeoutS: 30 }],
  ...{ callerNumber: '', callerName: '', continueOn: [], parkAfter: false, anonymous: false },
};

/** Each command of one leg: what a platform says, what the node is told. */
const COMMANDS: readonly [Rpc, Record<string, unknown>, Record<string, unknown>][] = [
  ['answer', {}, { $case: 'answer', value: {} }],
  ['run', { program }, { $case: 'run', value: { program, onlyFirst: false } }],
  ['bridge', { otherLegUuid: OTHER }, { $case: 'bridge', value: { otherLegUuid: OTHER } }],
  ['hangUp', { cause: 'USER_BUSY' }, { $case: 'hangUp', value: { cause: 'USER_BUSY' } }],
  ['transferAttended', { consultedLegUuid: OTHER }, { $case: 'bridge', value: { otherLegUuid: OTHER } }],
  ['hold', { on: true }, { $case: 'hold', value: { on: true } }],
  [
    'play',
    { play: { source: 'a.wav', loops: -1 }, both: true },
    { $case: 'play', value: { play: { source: 'a.wav', loops: -1 }, both: true } },
  ],
  ['stopPlay', {}, { $case: 'stopPlay', value: {} }],
  ['say', { say: { text: 'hi', voice: '' } }, { $case: 'say', value: { text: 'hi', voice: '' } }],
  ['collectDigits', { collect }, { $case: 'collect', value: collect }],
  [
    'startRecording',
    { recording: { stereo: true, limitS: 9 } },
    { $case: 'startRecording', value: { stereo: true, limitS: 9 } },
  ],
  ['pauseRecording', { on: true }, { $case: 'pauseRecording', value: { on: true } }],
  ['stopRecording', {}, { $case: 'stopRecording', value: {} }],
  [
    'sendDtmf',
    { dtmf: { digits: '12#', durationMs: 0 } },
    { $case: 'sendDtmf', value: { digits: '12#', durationMs: 0 } },
  ],
  [
    'joinConference',
    { conference: { room: 'r', muted: true, moderator: false } },
    run({ $case: 'conference', value: { room: 'r', muted: true, moderator: false } }),
  ],
  ['muteInConference', { on: true }, { $case: 'mute', value: { on: true } }],
  ['kickFromConference', {}, { $case: 'kick', value: {} }],
  ['park', { timeoutS: 7 }, run({ $case: 'park', value: { timeoutS: 7 } })],
  [
    'supervise',
    { supervisedLegUuid: OTHER, mode: 'SUPERVISE_MODE_WHISPER' },
    { $case: 'supervise', value: { supervisedLegUuid: OTHER, mode: 'SUPERVISE_MODE_WHISPER' } },
  ],
  [
    'setVariables',
    { variables: { variables: { order: '7' } } },
    { $case: 'setVariables', value: { variables: { order: '7' } } },
  ],
  [
    'transferBlind',
    { destination: { target: { $case: 'room', value: 'r' } } },
    { $case: 'run', value: { onlyFirst: false } },
  ],
];
const NO_COMMANDS = ['getSession', 'watchEvents', 'originate'];

function run(step: Record<string, unknown>) {
  return { $case: 'run', value: { program: { steps: [{ step }] }, onlyFirst: false } };
}

describe('commands over gRPC', () => {
  let desk: Desk;
  let count = 0;
  const key = () => `k${++count}`;
  beforeAll(async () => {
    desk = await Desk.open();
    desk.sessions.set(SESSION, binding('acme'));
    desk.sessions.set(FOREIGN, binding('globex'));
    for (const [legUuid, more] of [
      [LEG, { sessionId: SESSION, tenantId: 'acme', caller: '+49111' }],
      ['00000000-0000-0000-0000-00000000000f', { sessionId: FOREIGN, tenantId: 'globex' }],
      ['00000000-0000-0000-0000-0000000000a2', { sessionId: 's2', tenantId: 'acme', nodeId: 'fs-media-2' }],
    ] as const)
      desk.legs.apply(
        CallEvent.fromPartial({ event: 'created', legUuid, role: 'NODE_ROLE_MEDIA', ...MEDIA, ...more }),
      );
  });
  beforeEach(() => {
    desk.sent.length = 0;
    desk.refused.length = 0;
    desk.carryOut = () => ({});
    desk.resolve = () => ({ kind: 'RESOLVED_KIND_CONFERENCE', room: 'r' });
    desk.route = () => ({
      ...{ sessionId: 'aaaabbbbccccdddd', function: 'FUNCTION_GENERAL' },
      targets: ['fs-media-3', 'fs-media-4'].map((nodeId) => ({ nodeId, sipUri: '', epoch: `of ${nodeId}` })),
    });
  });
  afterAll(() => desk.close());

  it('are all here', () => {
    const here = [...COMMANDS.map(([rpc]) => rpc), ...NO_COMMANDS].sort();
    expect(here).toEqual(Object.keys(CallControlServiceService).sort());
  });

  describe.each(COMMANDS)('%s', (rpc, fields, command) => {
    it('is one command to the node its session lives on', async () => {
      const idempotencyKey = key();
      expect(await desk.do(rpc, { idempotencyKey, leg, ...fields })).toMatchObject({ nodeId: 'fs-media-1' });
      expect(desk.sent).toHaveLength(1);
      expect(desk.sent[0]).toMatchObject({ ...leg, ...MEDIA, actor: 'crm-acme', command });
      expect(await desk.do(rpc, { idempotencyKey, leg, ...fields })).toMatchObject({ repeated: true });
      expect(desk.sent).toHaveLength(1);
    });

    it('is refused to whoever may not act for the tenant, which is audited once', async () => {
      const refusal = desk.do(rpc, { idempotencyKey: key(), leg, ...fields }, GLOBEX.token);
      await expect(refusal).rejects.toMatchObject({ code: 'tenant_forbidden' });
      expect(desk.refused).toMatchObject([{ what: 'command', tenantId: 'acme', actor: 'crm-globex' }]);
      expect(desk.sent).toEqual([]);
    });

    it("is refused on another tenant's session, which is audited once", async () => {
      const foreign = { ...leg, sessionId: FOREIGN };
      const refusal = desk.do(rpc, { idempotencyKey: key(), leg: foreign, ...fields });
      await expect(refusal).rejects.toMatchObject({ code: 'tenant_forbidden' });
      expect(desk.refused).toMatchObject([{ what: 'command', tenantId: 'globex', actor: 'crm-acme' }]);
      expect(desk.sent).toEqual([]);
    });
  });

  it.each([
    ['bridge', { otherLegUuid: '00000000-0000-0000-0000-00000000000f' }],
    ['transferAttended', { consultedLegUuid: '00000000-0000-0000-0000-00000000000f' }],
    ['supervise', { supervisedLegUuid: '00000000-0000-0000-0000-00000000000f' }],
  ] as const)("%s is refused with another tenant's leg, which is audited once", async (rpc, fields) => {
    const refusal = desk.do(rpc, { idempotencyKey: key(), leg, ...fields });
    await expect(refusal).rejects.toMatchObject({ code: 'tenant_forbidden' });
    expect(desk.refused).toMatchObject([{ tenantId: 'globex' }]);
    expect(desk.sent).toEqual([]);
  });

  it("are refused on another tenant's leg as one of the own session, which is audited once", async () => {
    const foreign = { ...leg, legUuid: '00000000-0000-0000-0000-00000000000f' };
    const refusal = desk.do('answer', { idempotencyKey: key(), leg: foreign });
    await expect(refusal).rejects.toMatchObject({ code: 'tenant_forbidden' });
    expect(desk.refused).toMatchObject([{ tenantId: 'globex', actor: 'crm-acme' }]);
    expect(desk.sent).toEqual([]);
  });

  it('refused because of a limit may be asked again under their key', async () => {
    const request = {
      idempotencyKey: key(),
      tenantId: 'acme',
      destination: { target: { $case: 'agent', value: 'a' } },
    };
    desk.resolve = () => ({ kind: 'RESOLVED_KIND_AGENT', dial });
    desk.route = () => {
      throw fail('limit_calls', 'enough', { retryAfterS: 5 });
    };
    await expect(desk.do('originate', request)).rejects.toMatchObject({
      code: 'limit_calls',
      retryAfterS: 5,
    });
    desk.route = () => ({ targets: [{ nodeId: 'fs-media-3', sipUri: '', epoch: 'e' }] });
    expect(await desk.do('originate', request)).toMatchObject({ repeated: false });
  });

  it('are audited once when the node finds a leg to be another tenant’s', async () => {
    desk.carryOut = () => ({ errorCode: 'tenant_forbidden', errorMessage: 'no', errorField: 'leg_uuid' });
    const refusal = desk.do('answer', { idempotencyKey: key(), leg: { ...leg, legUuid: OTHER } });
    await expect(refusal).rejects.toMatchObject({ code: 'tenant_forbidden', field: 'leg.leg_uuid' });
    expect(desk.refused).toHaveLength(1);
  });

  it('with a leg of another node say where it is', async () => {
    const otherLegUuid = '00000000-0000-0000-0000-0000000000a2';
    await expect(desk.do('bridge', { idempotencyKey: key(), leg, otherLegUuid })).rejects.toMatchObject({
      code: 'precondition_failed',
      field: 'other_leg_uuid',
      message: 'other_leg_uuid: that leg is on fs-media-2, this one on fs-media-1',
    });
  });

  it('of two kinds do not share a key, even if their requests look the same', async () => {
    const request = { idempotencyKey: key(), leg };
    await desk.do('answer', request);
    await expect(desk.do('stopPlay', request)).rejects.toMatchObject({ code: 'already_exists' });
  });

  it.each([
    ['run', { program }, 'run.program.steps[0].play.source', 'program.steps[0].play.source'],
    ['play', { play: { source: 'x', loops: 0 } }, 'play.play.loops', 'play.loops'],
    ['sendDtmf', { dtmf: { digits: 'x', durationMs: 0 } }, 'send_dtmf.digits', 'dtmf.digits'],
    ['park', { timeoutS: 1 }, 'run.program.steps[0].park.timeout_s', 'timeout_s'],
    ['transferAttended', { consultedLegUuid: OTHER }, 'bridge.other_leg_uuid', 'consulted_leg_uuid'],
    [
      'setVariables',
      { variables: { variables: {} } },
      'set_variables.variables.api',
      'variables.variables.api',
    ],
    ['hangUp', { cause: 'x' }, 'hang_up.cause', 'cause'],
  ] as const)('%s says which field the node did not take', async (rpc, fields, errorField, field) => {
    desk.carryOut = () => ({ errorCode: 'invalid_argument', errorField, errorMessage: `${errorField}: no` });
    await expect(desk.do(rpc, { idempotencyKey: key(), leg, ...fields })).rejects.toMatchObject({
      code: 'invalid_argument',
      field,
      message: `${field}: no`,
    });
  });

  describe('hangUp of a session', () => {
    it('ends each leg of its media node, and minds none that ended meanwhile', async () => {
      const uuids = [LEG, OTHER];
      desk.legs.apply(
        CallEvent.fromPartial({
          ...{ event: 'created', legUuid: OTHER, sessionId: SESSION, tenantId: 'acme' },
          ...{ role: 'NODE_ROLE_MEDIA', ...MEDIA },
        }),
      );
      desk.carryOut = (_, { legUuid }) => (legUuid === OTHER ? { errorCode: 'not_found' } : {});
      await desk.do('hangUp', { idempotencyKey: key(), leg: { ...leg, legUuid: '' }, cause: '' });
      expect(desk.sent.map(({ legUuid }) => legUuid).sort()).toEqual(uuids.sort());
      expect(new Set(desk.sent.map(({ commandId }) => commandId)).size).toBe(2);
    });

    it('waits until all that was told before is read', async () => {
      desk.legs.complete = false;
      const refusal = desk.do('hangUp', { idempotencyKey: key(), leg: { ...leg, legUuid: '' }, cause: '' });
      await expect(refusal).rejects.toMatchObject({ code: 'unavailable' });
      desk.legs.complete = true;
    });
  });

  describe('originate', () => {
    const request = () => ({
      ...{ idempotencyKey: key(), tenantId: 'acme', callerNumber: '+4930', callerName: 'Acme' },
      destination: { target: { $case: 'agent', value: 'alice' } },
    });
    beforeEach(() => {
      desk.resolve = () => ({ kind: 'RESOLVED_KIND_AGENT', dial });
    });

    it('places a new session where policy says, as a general call of the tenant', async () => {
      const placed = await desk.do('originate', { ...request(), affinityKey: 'queue:1' });
      expect(placed).toMatchObject({ nodeId: 'fs-media-3', leg: { sessionId: 'aaaabbbbccccdddd' } });
      expect(desk.asked.route.at(-1)).toMatchObject({
        ...{ tenantId: 'acme', affinityKey: 'queue:1', function: 'FUNCTION_GENERAL' },
        ...{ role: 'NODE_ROLE_MEDIA', requestUri: '' },
      });
      const { command, nodeEpoch } = desk.sent[0]!;
      expect(nodeEpoch).toBe('of fs-media-3');
      const presented = { dial: { ...dial, callerNumber: '+4930', callerName: 'Acme' }, function: 'general' };
      expect(command).toMatchObject({ $case: 'originate', value: presented });
    });

    it('joins a session, for what that is for', async () => {
      await desk.do('originate', { ...request(), sessionId: SESSION });
      expect(desk.sent[0]).toMatchObject({ nodeId: 'fs-media-1', sessionId: SESSION });
      expect(desk.sent[0]!.command).toMatchObject({ value: { function: 'outbound-bot' } });
    });

    it('shows who calls as the way there wants it', async () => {
      desk.resolve = () => ({ kind: 'RESOLVED_KIND_EXTERNAL', dial: { ...dial, callerNumber: '030555' } });
      await desk.do('originate', request());
      expect(desk.sent[0]!.command).toMatchObject({ value: { dial: { callerNumber: '030555' } } });
    });

    it('asks the next node when the first did nothing, and none when nobody knows', async () => {
      desk.carryOut = (nodeId) => (nodeId === 'fs-media-3' ? { errorCode: 'unavailable' } : {});
      expect(await desk.do('originate', request())).toMatchObject({ nodeId: 'fs-media-4' });
      desk.sent.length = 0;
      desk.carryOut = () => ({ errorCode: 'outcome_unknown' });
      await expect(desk.do('originate', request())).rejects.toMatchObject({ code: 'outcome_unknown' });
      expect(desk.sent).toHaveLength(1);
    });

    it("is refused into another tenant's session, which is audited once", async () => {
      const refusal = desk.do('originate', { ...request(), sessionId: FOREIGN });
      await expect(refusal).rejects.toMatchObject({ code: 'tenant_forbidden' });
      expect(desk.refused).toHaveLength(1);
      expect(desk.sent).toEqual([]);
    });

    it.each([
      ['nobody is called there', () => ({ kind: 'RESOLVED_KIND_ECHO' as const })],
      ['it rings in turn', () => ({ dial: { ...dial, groups: [...dial.groups, ...dial.groups] } })],
    ])('is refused when %s', async (_, resolve) => {
      desk.resolve = resolve;
      const refused = { code: 'precondition_failed', field: 'destination' };
      await expect(desk.do('originate', request())).rejects.toMatchObject(refused);
    });

    it('is refused with the words of policy about its own fields', async () => {
      desk.resolve = () => {
        throw fail('unknown_number', 'nobody', { field: 'dialled' });
      };
      const refused = { code: 'unknown_number', field: 'destination' };
      await expect(desk.do('originate', request())).rejects.toMatchObject(refused);
      expect(desk.sent).toEqual([]);
    });
  });

  describe('transferBlind', () => {
    it('is what the default application would do, for whoever is at the far end', async () => {
      desk.resolve = () => ({ kind: 'RESOLVED_KIND_AGENT', dial, mailbox: 'alice@acme.example' });
      const destination = { target: { $case: 'dialled', value: '200' } };
      await desk.do('transferBlind', { idempotencyKey: key(), leg, destination, timeoutS: 7 });
      expect(desk.asked.resolve.at(-1)).toMatchObject({
        ...{ tenantId: 'acme', caller: '+49111', timeoutS: 7 },
        dialled: { target: { $case: 'user', value: '200' } },
      });
      const { command } = desk.sent[0]!;
      const steps = command?.$case === 'run' ? command.value.program!.steps : [];
      expect(steps.map(({ step }) => step?.$case)).toEqual(['dial', 'answer', 'voicemail']);
    });

    it('shows whom we had called as the one who calls', async () => {
      const called = { outbound: true, caller: '+4930', callee: '+49222' };
      desk.legs.apply(
        CallEvent.fromPartial({
          ...{ event: 'created', legUuid: OTHER, sessionId: SESSION, tenantId: 'acme' },
          ...{ role: 'NODE_ROLE_MEDIA', ...MEDIA, ...called },
        }),
      );
      desk.resolve = () => ({ kind: 'RESOLVED_KIND_AGENT', dial });
      const destination = { target: { $case: 'agent', value: 'alice' } };
      await desk.do('transferBlind', { idempotencyKey: key(), leg: { ...leg, legUuid: OTHER }, destination });
      const { command } = desk.sent[0]!;
      const first = command?.$case === 'run' ? command.value.program!.steps[0]!.step : undefined;
      expect(first).toMatchObject({ $case: 'dial', value: { callerNumber: '+49222' } });
    });

    it('is refused to where nothing answers by itself', async () => {
      desk.resolve = () => ({ kind: 'RESOLVED_KIND_CONTROL' });
      const destination = { target: { $case: 'dialled', value: '200' } };
      const refusal = desk.do('transferBlind', { idempotencyKey: key(), leg, destination });
      await expect(refusal).rejects.toMatchObject({ code: 'precondition_failed', field: 'destination' });
    });
  });
});
