import type { NodeCommand } from '@callmesh/proto/command';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { commandOf, dialOf, OTHER, run, SESSION, UUID } from './support/commands.ts';
import { ScriptedAgent, ScriptedSwitch } from './support/scripted-switch.ts';

type What = NonNullable<NodeCommand['command']>;

const OURS = {
  'variable_sip_h_X-Callmesh-Session': SESSION,
  'variable_sip_h_X-Callmesh-Tenant': 'acme',
  'Call-Direction': 'inbound',
};
const HANG_UP: What = { $case: 'hangUp', value: { cause: '' } };
const PROGRAM = run({ $case: 'echo', value: {} });
const FIRST: What = { ...PROGRAM, value: { ...(PROGRAM.value as object), onlyFirst: true } } as What;
const COLLECT: What = {
  $case: 'collect',
  value: {
    prompt: undefined,
    minDigits: 0,
    maxDigits: 4,
    terminators: '#',
    timeoutMs: 2000,
    digitTimeoutMs: 0,
  },
};

let server: ScriptedSwitch;
let agent: ScriptedAgent;

beforeEach(async () => {
  server = await ScriptedSwitch.start();
  agent = await ScriptedAgent.start(server.port);
  await arrive(UUID);
});
afterEach(async () => {
  await agent.remove();
  await server.stop();
});

async function arrive(uuid: string, more: Record<string, string> = {}): Promise<void> {
  server.create(uuid, { ...OURS, ...more });
  await vi.waitFor(() => expect(agent.freeswitch.leg(uuid)).toBeDefined());
}

let count = 0;
function command(what: What, more: Partial<NodeCommand> = {}): NodeCommand {
  return commandOf(what, {
    commandId: `c-${count++}`,
    nodeEpoch: server.epoch,
    expiresAt: new Date(Date.now() + 1_000),
    ...more,
  });
}
const carryOut = (one: NodeCommand) => agent.commander.carryOut(one);
const times = (line: RegExp) => server.asked.filter((asked) => line.test(asked)).length;

describe('a command is refused, and FreeSWITCH not asked,', () => {
  const before = async (one: NodeCommand) => {
    const asked = server.asked.length;
    const refused = await carryOut(one).catch((error) => error);
    expect(server.asked.length).toBe(asked);
    return refused;
  };

  it.each<[string, Partial<NodeCommand>, string, string]>([
    ['that came too late', { expiresAt: new Date(Date.now() - 1) }, 'deadline', ''],
    ['for another life of the node', { nodeEpoch: 'another' }, 'precondition_failed', 'node_epoch'],
    ['for a leg that is not here', { legUuid: OTHER }, 'not_found', 'leg_uuid'],
    ['of another tenant', { tenantId: 'globex' }, 'tenant_forbidden', 'leg_uuid'],
    ['of another session', { sessionId: 'fedcba9876543210' }, 'not_found', 'session_id'],
    ['without an id', { commandId: '' }, 'invalid_argument', 'command_id'],
    ['with an id that is none', { commandId: 'a b' }, 'invalid_argument', 'command_id'],
    ['for a leg that is none', { legUuid: 'x; hupall' }, 'invalid_argument', 'leg_uuid'],
    ['without a deadline', { expiresAt: undefined }, 'invalid_argument', 'expires_at'],
    ['that says nothing to do', { command: undefined }, 'invalid_argument', 'command'],
  ])('%s', async (_, more, code, field) => {
    const refused = await before(command(HANG_UP, more));
    expect(refused).toMatchObject({ code, ...(field && { field }) });
  });

  it('when the other leg is another tenant’s, not here, or the same', async () => {
    await arrive(OTHER, { 'variable_sip_h_X-Callmesh-Tenant': 'globex' });
    const bridge = (otherLegUuid: string) => command({ $case: 'bridge', value: { otherLegUuid } });
    expect(await before(bridge(OTHER))).toMatchObject({
      code: 'tenant_forbidden',
      field: 'bridge.other_leg_uuid',
    });
    expect(await before(bridge('00000000-0000-4000-8000-000000000000'))).toMatchObject({ code: 'not_found' });
    expect(await before(bridge(UUID))).toMatchObject({ code: 'invalid_argument' });
  });

  it('while FreeSWITCH is not connected', async () => {
    await server.stop();
    await vi.waitFor(() => expect(agent.freeswitch.epoch).toBeUndefined());
    expect(await before(command(HANG_UP))).toMatchObject({ code: 'unavailable' });
  });
});

describe('a command', () => {
  it('is done once under one id, and a repetition gets the same result', async () => {
    const one = command(HANG_UP);
    expect(await carryOut(one)).toEqual({});
    expect(await carryOut(one)).toEqual({ repeated: true });
    expect(times(/^uuid_kill/)).toBe(1);
  });

  it('that is repeated while it is under way waits for the same result', async () => {
    const one = command(COLLECT);
    const [first, second] = [carryOut(one), carryOut(one)];
    await vi.waitFor(() => expect(times(/play_and_get_digits/)).toBe(1));
    const digits = { 'Event-Subclass': 'callmesh::collected', 'Callmesh-Command': one.commandId };
    await vi.waitFor(() => expect(times(/callmesh::collected/)).toBe(1));
    server.tell('CUSTOM', UUID, { ...digits, 'Callmesh-Digits': '12', 'Callmesh-Terminator': '#' });
    expect(await first).toEqual({ digits: '12', terminator: '#' });
    expect(await second).toEqual({ digits: '12', terminator: '#', repeated: true });
  });

  it('that FreeSWITCH refuses says so, and is not tried again', async () => {
    server.answer = (line) => (line.startsWith('uuid_kill') ? '-ERR Operation failed' : '+OK');
    const one = command(HANG_UP);
    expect(await carryOut(one)).toMatchObject({ errorCode: 'precondition_failed' });
    expect(await carryOut(one)).toMatchObject({ errorCode: 'precondition_failed', repeated: true });
    expect(times(/^uuid_kill/)).toBe(1);
  });

  it('on a leg that has just ended says that it is gone', async () => {
    server.answer = (line) => (line.startsWith('uuid_kill') ? '-ERR No such channel!' : '+OK');
    expect(await carryOut(command(HANG_UP))).toMatchObject({ errorCode: 'not_found' });
  });

  it('does not go on after a line that was refused, be it without -ERR', async () => {
    server.answer = (line) => (line.startsWith('uuid_setvar') ? 'Non-Existant thing' : '+OK');
    expect(await carryOut(command(COLLECT))).toMatchObject({ errorCode: 'precondition_failed' });
    expect(times(/^uuid_broadcast/)).toBe(0);
  });

  it('is not handed to a FreeSWITCH that does not answer: nothing is done, now or later', async () => {
    server.freeze();
    const one = command(HANG_UP, { expiresAt: new Date(Date.now() + 200) });
    await expect(carryOut(one)).rejects.toMatchObject({ code: 'unavailable' });
    server.thaw();
    expect(times(/^uuid_kill/)).toBe(0);
    expect(await carryOut({ ...one, expiresAt: new Date(Date.now() + 1_000) })).toEqual({});
  });

  it('that FreeSWITCH took and never answered has an unknown outcome within its deadline', async () => {
    server.answer = (line) => (line.startsWith('uuid_kill') ? undefined : '+OK');
    const begun = Date.now();
    const one = command(HANG_UP, { expiresAt: new Date(begun + 300) });
    expect(await carryOut(one)).toMatchObject({ errorCode: 'outcome_unknown' });
    expect(Date.now() - begun).toBeLessThan(600);
  });

  it('is not sent again on another connection: its outcome is unknown', async () => {
    server.answer = (line) => (line.startsWith('uuid_kill') ? undefined : '+OK');
    const one = command(HANG_UP);
    const result = carryOut(one);
    await vi.waitFor(() => expect(times(/^uuid_kill/)).toBe(1));
    server.cut();
    expect(await result).toMatchObject({ errorCode: 'outcome_unknown' });
    await vi.waitFor(() => expect(agent.freeswitch.epoch).toBeDefined());
    expect(await carryOut(one)).toMatchObject({ errorCode: 'outcome_unknown', repeated: true });
    expect(times(/^uuid_kill/)).toBe(1);
  });

  it('is not done again by an agent that was restarted', async () => {
    const [done, unknown] = [command(HANG_UP), command(PROGRAM)];
    await carryOut(done);
    server.answer = (line) => (line.startsWith('uuid_transfer') ? undefined : '+OK');
    const lost = carryOut(unknown);
    await vi.waitFor(() => expect(times(/^uuid_transfer/)).toBe(1));
    await agent.end();
    await lost;
    server.answer = () => '+OK';
    agent = await ScriptedAgent.start(server.port, agent.dir);
    expect(await carryOut(done)).toEqual({ repeated: true });
    expect(await carryOut(unknown)).toMatchObject({ errorCode: 'outcome_unknown', repeated: true });
    expect(times(/^uuid_kill/) + times(/^uuid_transfer/)).toBe(2);
  });
});

describe('the first program of a leg', () => {
  it('is started once, by whomever and however often it is asked for', async () => {
    const results = await Promise.all([carryOut(command(FIRST)), carryOut(command(FIRST))]);
    expect(results).toEqual([{}, {}]);
    await carryOut(command(FIRST));
    expect(times(/^uuid_transfer/)).toBe(1);
    expect(times(/^uuid_setvar_multi .* callmesh_program=/)).toBe(1);
    // The mark is set before the program begins: our end in between must not start it twice.
    expect(server.asked.at(-2)).toMatch(/^uuid_setvar_multi/);
  });

  it('is known to an agent that was restarted, by the mark on the channel', async () => {
    await carryOut(command(FIRST));
    server.channels.set(UUID, { ...OURS, variable_callmesh_program: 'c-1' });
    await agent.end();
    agent = await ScriptedAgent.start(server.port, agent.dir);
    await carryOut(command(FIRST));
    expect(times(/^uuid_transfer/)).toBe(1);
    await carryOut(command(PROGRAM));
    expect(times(/^uuid_transfer/)).toBe(2);
  });

  it('may be asked for again when FreeSWITCH did not take it', async () => {
    server.freeze();
    const late = { expiresAt: new Date(Date.now() + 150) };
    await expect(carryOut(command(FIRST, late))).rejects.toMatchObject({ code: 'unavailable' });
    server.thaw();
    await carryOut(command(FIRST));
    expect(times(/^uuid_transfer/)).toBe(1);
  });
});

describe('originating', () => {
  const originate = (): NodeCommand =>
    command(
      {
        $case: 'originate',
        value: {
          dial: dialOf('sip:bob@10.0.0.7'),
          program: undefined,
          callId: '',
          variables: undefined,
          function: '',
        },
      },
      { legUuid: OTHER },
    );

  it('replies when the leg is there, though nobody has answered yet', async () => {
    server.answer = (line) => (line.startsWith('originate') ? undefined : '+OK');
    const result = carryOut(originate());
    await vi.waitFor(() => expect(times(/^originate/)).toBe(1));
    server.create(OTHER, OURS);
    expect(await result).toEqual({});
  });

  it('says why there was no leg', async () => {
    server.answer = (line) => (line.startsWith('originate') ? '-ERR NO_ROUTE_DESTINATION' : '+OK');
    expect(await carryOut(originate())).toMatchObject({
      errorCode: 'precondition_failed',
      errorMessage: expect.stringContaining('NO_ROUTE_DESTINATION'),
    });
  });

  it('does not take a uuid that is in use', async () => {
    await arrive(OTHER);
    await expect(carryOut(originate())).rejects.toMatchObject({ code: 'already_exists' });
  });
});

describe('after a restart the agent', () => {
  it('tells the end of legs that ended meanwhile, with what it knew of them', async () => {
    await arrive(OTHER);
    const answeredAt = '1795412086693142';
    server.tell('CHANNEL_ANSWER', UUID, { 'Event-Date-Timestamp': answeredAt });
    await vi.waitFor(() => expect(agent.told.at(-1)?.event).toBe('answered'));
    await agent.end();
    server.channels.delete(UUID);
    agent = await ScriptedAgent.start(server.port, agent.dir);
    const [hangup] = agent.told.filter(({ event }) => event === 'hangup');
    expect(hangup).toMatchObject({ legUuid: UUID, tenantId: 'acme', reconciled: true });
    expect(hangup!.summary?.answeredAt).toEqual(new Date(1795412086693));
    const told = agent.told.filter(({ legUuid }) => legUuid === OTHER);
    expect(told).toMatchObject([{ event: 'created', reconciled: true, sessionId: SESSION }]);
  });

  it('tells the end of all legs of a life that is over, as of that life', async () => {
    await agent.end();
    const before = server.epoch;
    server.epoch = 'bbbbbbbb-0000-4000-8000-000000000000';
    server.channels.clear();
    agent = await ScriptedAgent.start(server.port, agent.dir);
    expect(agent.told).toMatchObject([
      { event: 'hangup', legUuid: UUID, nodeEpoch: before, reconciled: true },
    ]);
  });

  it('tells what a leg did that it never knew', async () => {
    await agent.end();
    server.channels.set(OTHER, {
      ...{ ...OURS, 'Answer-State': 'answered', 'Caller-Channel-Answered-Time': '1795412086693142' },
    });
    agent = await ScriptedAgent.start(server.port, agent.dir);
    const told = agent.told.filter(({ legUuid }) => legUuid === OTHER);
    expect(told.map(({ event }) => event)).toEqual(['created', 'answered']);
  });

  it('tells what it missed on legs it knew, when only its connection was lost', async () => {
    server.channels.set(UUID, {
      ...{ ...OURS, 'Answer-State': 'answered', 'Caller-Channel-Answered-Time': '1795412086693142' },
      variable_bridge_to: OTHER,
    });
    const before = agent.told.length;
    server.cut();
    await vi.waitFor(() =>
      expect(agent.told.slice(before).map(({ event }) => event)).toEqual(['answered', 'bridged']),
    );
    expect(agent.told.at(-1)).toMatchObject({ reconciled: true, otherLegUuid: OTHER });
  });
});
