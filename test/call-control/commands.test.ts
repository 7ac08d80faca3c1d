import { randomUUID } from 'node:crypto';
import { eventually } from '@callmesh/local';
import { OriginateRequest, type WatchEventsResponse } from '@callmesh/proto/control';
import { Dial } from '@callmesh/proto/program';
import { call, fail, serverStream } from '@callmesh/runtime';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { GLOBEX, NODE, Stage } from './stage.ts';

const SESSION = '0123456789abcdef';
const LEG = '87c55f32-2001-4f47-bf76-64e75f3a4143';
const leg = { tenantId: 'acme', sessionId: SESSION, legUuid: LEG };
const key = () => randomUUID();

describe('call-control', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.start();
    await stage.bind(SESSION);
  }, 60_000);
  afterEach(() => {
    stage.carryOut = async () => ({});
    stage.answerAsNode();
  });
  afterAll(() => stage?.stop());

  describe('a command', () => {
    it('reaches the node of the session, in time and in its tenant’s name', async () => {
      const before = Date.now();
      const done = await call(stage.control(), 'hangUp', { idempotencyKey: key(), leg, cause: 'USER_BUSY' });
      expect(done).toEqual({ nodeId: NODE.id, repeated: false });
      const command = stage.commands.at(-1)!;
      expect(command).toMatchObject({ ...leg, nodeEpoch: NODE.epoch, actor: 'crm-acme' });
      expect(command.command).toEqual({ $case: 'hangUp', value: { cause: 'USER_BUSY' } });
      // Two seconds is this caller's deadline.
      expect(command.expiresAt!.getTime()).toBeGreaterThan(before);
      expect(command.expiresAt!.getTime()).toBeLessThan(before + 2_000);
    });

    it('returns what the node found', async () => {
      stage.carryOut = async () => ({ digits: '1234', terminator: '#' });
      const collect = {
        ...{
          prompt: undefined,
          minDigits: 1,
          maxDigits: 4,
          terminators: '#',
          timeoutMs: 100,
          digitTimeoutMs: 0,
        },
      };
      const done = await call(stage.control(), 'collectDigits', { idempotencyKey: key(), leg, collect });
      expect(done).toMatchObject({ digits: '1234', terminator: '#', nodeId: NODE.id });
    });

    it('fails with the node’s own words', async () => {
      stage.carryOut = async () => {
        throw fail('precondition_failed', 'the leg is not bridged', { field: 'leg_uuid' });
      };
      await expect(
        call(stage.control(), 'hold', { idempotencyKey: key(), leg, on: true }),
      ).rejects.toMatchObject({ code: 'precondition_failed', message: 'the leg is not bridged' });
    });

    it.each([
      ['leg.session_id', { leg: { ...leg, sessionId: 'x' } }],
      ['leg.leg_uuid', { leg: { ...leg, legUuid: '' } }],
      ['idempotency_key', { idempotencyKey: '' }],
      ['leg', { leg: undefined }],
    ])('is refused at the edge when %s is wrong', async (field, wrong) => {
      const told = stage.commands.length;
      const request = { idempotencyKey: key(), leg, ...wrong };
      await expect(call(stage.control(), 'answer', request)).rejects.toMatchObject({
        code: 'invalid_argument',
        field,
      });
      expect(stage.commands).toHaveLength(told);
    });

    it('to a session that is not there says so', async () => {
      const gone = { ...leg, sessionId: 'ffffffffffffffff' };
      await expect(
        call(stage.control(), 'answer', { idempotencyKey: key(), leg: gone }),
      ).rejects.toMatchObject({ code: 'session_gone' });
    });

    it('to a node nobody stands beside fails at once, and is not done when it is back', async () => {
      stage.silenceNode();
      const told = stage.commands.length;
      const began = performance.now();
      await expect(call(stage.control(), 'answer', { idempotencyKey: key(), leg })).rejects.toMatchObject({
        code: 'unavailable',
      });
      expect(performance.now() - began).toBeLessThan(1_000);
      stage.answerAsNode();
      await call(stage.control(), 'answer', { idempotencyKey: key(), leg });
      expect(stage.commands).toHaveLength(told + 1);
    });

    it('the node does not answer is of unknown outcome, within the deadline', async () => {
      stage.carryOut = () => new Promise(() => {});
      const began = performance.now();
      await expect(
        call(stage.control(), 'answer', { idempotencyKey: key(), leg }, { deadlineMs: 800 }),
      ).rejects.toMatchObject({ code: 'outcome_unknown' });
      expect(performance.now() - began).toBeLessThan(800);
    });
  });

  describe('an idempotency key', () => {
    it('gets the first result from any replica', async () => {
      const told = stage.commands.length;
      const request = { idempotencyKey: key(), leg, recording: { stereo: true, limitS: 0 } };
      stage.carryOut = async () => ({ recording: 'acme/1.wav' });
      const first = await call(stage.control(0), 'startRecording', request);
      const second = await call(stage.control(1), 'startRecording', request);
      expect(first).toEqual({ recording: 'acme/1.wav', nodeId: NODE.id, repeated: false });
      expect(second).toEqual({ ...first, repeated: true });
      expect(stage.commands).toHaveLength(told + 1);
    });

    it('is executed once, however many ask at once', async () => {
      const told = stage.commands.length;
      const request = { idempotencyKey: key(), leg };
      const asked = Array.from({ length: 10 }, (_, n) => call(stage.control(n % 2), 'answer', request));
      const outcomes = await Promise.allSettled(asked);
      expect(stage.commands).toHaveLength(told + 1);
      const codes = outcomes.map((one) =>
        one.status === 'fulfilled' ? 'ok' : (one.reason as { code: string }).code,
      );
      expect(codes.filter((code) => code !== 'ok' && code !== 'conflict')).toEqual([]);
      expect(codes).toContain('ok');
    });

    it('stands for one request', async () => {
      const idempotencyKey = key();
      await call(stage.control(), 'hold', { idempotencyKey, leg, on: true });
      await expect(call(stage.control(1), 'hold', { idempotencyKey, leg, on: false })).rejects.toMatchObject({
        code: 'already_exists',
        field: 'idempotency_key',
      });
    });

    it('gets the first refusal, too', async () => {
      const request = { idempotencyKey: key(), leg };
      stage.carryOut = async () => {
        throw fail('precondition_failed', 'not now');
      };
      await expect(call(stage.control(), 'answer', request)).rejects.toMatchObject({ message: 'not now' });
      stage.carryOut = async () => ({});
      await expect(call(stage.control(1), 'answer', request)).rejects.toMatchObject({ message: 'not now' });
    });

    it('may be used again when nothing was done', async () => {
      const request = { idempotencyKey: key(), leg };
      stage.silenceNode();
      await expect(call(stage.control(), 'answer', request)).rejects.toMatchObject({ code: 'unavailable' });
      stage.answerAsNode();
      await expect(call(stage.control(1), 'answer', request)).resolves.toMatchObject({ repeated: false });
    });

    it('of a replica that died in between says that nobody knows', async () => {
      const request = { idempotencyKey: key(), leg };
      let begun = false;
      stage.carryOut = () => {
        begun = true;
        return new Promise(() => {});
      };
      const first = call(stage.control(1), 'answer', request, { deadlineMs: 1_500 });
      first.catch(() => {});
      await eventually(() => begun, 'the node has the command');
      const told = stage.commands.length;
      await stage.replicas[1]!.kill();
      await expect(first).rejects.toMatchObject({ code: 'unavailable' });
      stage.carryOut = async () => ({});
      await eventually(
        () =>
          call(stage.control(0), 'answer', request).then(
            () => 'done',
            (error: { code: string }) => error.code === 'outcome_unknown' && 'unknown',
          ),
        'the outcome is known to be unknown',
      ).then((outcome) => expect(outcome).toBe('unknown'));
      expect(stage.commands).toHaveLength(told);
      await stage.replicas[1]!.start();
    });
  });

  describe('a tenant', () => {
    const foreign = { ...leg, tenantId: 'globex' };
    const refused = (what: string) => stage.refusals.filter((refusal) => refusal.what === what).length;

    it('may not be named by whoever does not act for it, and that is told once', async () => {
      const before = refused('command');
      await expect(
        call(stage.control(0, GLOBEX.token), 'answer', { idempotencyKey: key(), leg }),
      ).rejects.toMatchObject({ code: 'tenant_forbidden' });
      await eventually(() => refused('command') === before + 1, 'one refusal is audited');
      expect(stage.refusals.at(-1)).toEqual({ what: 'command', tenantId: 'acme', actor: 'crm-globex' });
    });

    it('does not reach another’s session by its own name', async () => {
      const [before, told] = [refused('command'), stage.commands.length];
      await expect(
        call(stage.control(0, GLOBEX.token), 'hangUp', { idempotencyKey: key(), leg: foreign, cause: '' }),
      ).rejects.toMatchObject({ code: 'tenant_forbidden' });
      await eventually(() => refused('command') === before + 1, 'one refusal is audited');
      expect(stage.commands).toHaveLength(told);
    });

    it('does not hear of another’s session', async () => {
      const before = refused('events');
      const request = {
        tenantId: 'globex',
        sessionId: SESSION,
        agentId: '',
        afterPosition: 0,
        fromStart: true,
      };
      const watch = serverStream(stage.control(0, GLOBEX.token), 'watchEvents', request);
      await expect(watch.next()).rejects.toMatchObject({ code: 'tenant_forbidden' });
      await eventually(() => refused('events') === before + 1, 'one refusal is audited');
    });
  });

  describe('events', () => {
    async function watch(
      count: number,
      request: { afterPosition?: number; fromStart?: boolean; sessionId?: string },
    ) {
      const stop = new AbortController();
      const full = {
        tenantId: 'acme',
        sessionId: '',
        agentId: '',
        afterPosition: 0,
        fromStart: false,
        ...request,
      };
      const seen: WatchEventsResponse[] = [];
      for await (const one of serverStream(stage.control(), 'watchEvents', full, { signal: stop.signal })) {
        if (one.event) seen.push(one);
        if (seen.length === count) break;
      }
      stop.abort();
      return seen;
    }
    const names = (seen: readonly WatchEventsResponse[]) => seen.map(({ event }) => event!.event);

    it('of a session are told in order, and from any position on', async () => {
      const session = '1111222233334444';
      await stage.bind(session);
      for (const name of ['created', 'ringing', 'answered', 'bridged', 'hangup'])
        stage.tell(name, session, LEG);
      const seen = await watch(5, { fromStart: true, sessionId: session });
      expect(names(seen)).toEqual(['created', 'ringing', 'answered', 'bridged', 'hangup']);
      const rest = await watch(3, { afterPosition: seen[1]!.position, sessionId: session });
      expect(names(rest)).toEqual(['answered', 'bridged', 'hangup']);
    });

    it('say which legs live', async () => {
      const session = '5555666677778888';
      await stage.bind(session);
      const [caller, callee] = [randomUUID(), randomUUID()];
      stage.tell('created', session, caller, { caller: '+49111' });
      stage.tell('created', session, callee, { outbound: true });
      stage.tell('hangup', session, callee);
      for (const replica of [0, 1]) {
        const found = await eventually(async () => {
          const { legs } = await call(stage.control(replica), 'getSession', {
            tenantId: 'acme',
            sessionId: session,
          });
          return legs.length === 1 && legs;
        }, 'one leg is left');
        expect(found).toMatchObject([{ legUuid: caller, caller: '+49111', outbound: false }]);
      }
    });

    it('that are no longer kept are out of range', async () => {
      await expect(watch(1, { afterPosition: 1_000_000 })).rejects.toMatchObject({ code: 'out_of_range' });
    });
  });

  describe('a call that is placed', () => {
    const hop = { uri: 'sip:alice@acme.example', nextHop: 'sip:127.0.0.1:5070', nodeId: 'fs-router-1' };
    const dial = Dial.fromPartial({ groups: [{ legs: [{ hops: [hop], agentId: 'alice@acme.example' }] }] });
    const request = () =>
      OriginateRequest.fromPartial({
        idempotencyKey: key(),
        tenantId: 'acme',
        destination: { target: { $case: 'agent', value: 'alice' } },
        callerNumber: '+4930',
      });

    it('goes to the node policy chose, once', async () => {
      stage.resolve = () => ({ kind: 'RESOLVED_KIND_AGENT', dial });
      const asked = request();
      const placed = await call(stage.control(0), 'originate', asked);
      expect(placed).toMatchObject({ nodeId: NODE.id, repeated: false });
      expect(placed.leg).toMatchObject({ tenantId: 'acme', sessionId: 'aaaabbbbccccdddd' });
      const { command, legUuid } = stage.commands.at(-1)!;
      expect(legUuid).toBe(placed.leg!.legUuid);
      expect(command?.$case === 'originate' && command.value.dial).toMatchObject({ callerNumber: '+4930' });
      expect(await call(stage.control(1), 'originate', asked)).toEqual({ ...placed, repeated: true });
    });

    it('joins a session where that lives', async () => {
      stage.resolve = () => ({ kind: 'RESOLVED_KIND_AGENT', dial });
      const placed = await call(stage.control(), 'originate', { ...request(), sessionId: SESSION });
      expect(placed.leg).toMatchObject({ sessionId: SESSION });
    });

    it('to nobody who can be called is refused', async () => {
      stage.resolve = () => ({ kind: 'RESOLVED_KIND_CONFERENCE', room: '3000' });
      await expect(call(stage.control(), 'originate', request())).rejects.toMatchObject({
        code: 'precondition_failed',
        field: 'destination',
      });
    });
  });

  describe('the default application', () => {
    const arrives = async (session: string, more = {}) => {
      const legUuid = randomUUID();
      stage.tell('created', session, legUuid, { callee: '+4930100', caller: '+49111', ...more });
      return legUuid;
    };
    const told = (legUuid: string) => stage.commands.filter((command) => command.legUuid === legUuid);

    it('answers a call by what its number is for, once', async () => {
      stage.resolve = () => ({ kind: 'RESOLVED_KIND_CONFERENCE', room: '3000' });
      const legUuid = await arrives(SESSION);
      await eventually(() => told(legUuid).length > 0, 'the node is told');
      const [{ command, commandId }] = told(legUuid) as [(typeof stage.commands)[0]];
      expect(commandId).toBe(`app-${legUuid}`);
      expect(command).toMatchObject({ $case: 'run', value: { onlyFirst: true } });
      expect(stage.asked.at(-1)).toMatchObject({ tenantId: 'acme', caller: '+49111' });
      expect(told(legUuid)).toHaveLength(1);
    });

    it('tells the caller why a number is refused', async () => {
      stage.resolve = () => {
        throw fail('unknown_number', 'no such number');
      };
      const legUuid = await arrives(SESSION);
      await eventually(() => told(legUuid).length > 0, 'the node is told');
      const { command } = told(legUuid)[0]!;
      const steps = command?.$case === 'run' ? command.value.program?.steps : undefined;
      expect(steps).toEqual([{ step: { $case: 'hangUp', value: { cause: 'UNALLOCATED_NUMBER' } } }]);
    });

    it('asks again when policy was away', async () => {
      let times = 0;
      stage.resolve = () => {
        times += 1;
        if (times < 3) throw fail('unavailable', 'not now');
        return { kind: 'RESOLVED_KIND_ECHO' };
      };
      const legUuid = await arrives(SESSION);
      await eventually(() => told(legUuid).length === 1, 'the node is told in the end');
      expect(times).toBe(3);
    });

    it('leaves alone what calls out, what is late, and what is for the platform', async () => {
      stage.resolve = ({ dialled }) => ({
        kind: dialled?.target?.value === '+4930200' ? 'RESOLVED_KIND_CONTROL' : 'RESOLVED_KIND_ECHO',
      });
      const legs = [
        await arrives(SESSION, { outbound: true }),
        await arrives(SESSION, { at: new Date(Date.now() - 60_000) }),
        await arrives(SESSION, { callee: '+4930200' }),
      ];
      const last = await arrives(SESSION);
      await eventually(() => told(last).length === 1, 'a later call is answered');
      expect(legs.flatMap(told)).toEqual([]);
    });
  });

  it('does nothing while NATS is away, and everything when it is back', async () => {
    await stage.natsServer.process.kill();
    await eventually(
      () =>
        call(stage.control(), 'answer', { idempotencyKey: key(), leg }).then(
          () => false,
          (error: { code: string }) => error.code === 'unavailable',
        ),
      'it is unavailable',
    );
    const answered = () => stage.commands.filter(({ command }) => command?.$case === 'answer').length;
    const told = answered();
    await stage.natsServer.process.start();
    await eventually(() => stage.nats.connected && stage.isWell(0), 'both ends are connected', 20_000);
    await call(stage.control(), 'answer', { idempotencyKey: key(), leg });
    expect(answered()).toBe(told + 1);
  });
});
