import { eventually } from '@callmesh/local';
import { SuperviseMode } from '@callmesh/proto/command';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Platform } from '../mesh/platform.ts';
import type { PhoneCall } from '../sip/phone.ts';
import { Center, GLOBEX_TOKEN, NUMBERS, TONE, VOICES, type Who } from './center.ts';
import { describeReal } from './lab.ts';

const TONE_HZ = 425;
const agent = (name: Who) => ({ target: { $case: 'agent', value: name } }) as const;
const forbidden = expect.objectContaining({ code: 'tenant_forbidden' });

describeReal('call-control over real FreeSWITCH: each command by its effect at the far end', () => {
  let center: Center;
  beforeAll(async () => {
    center = await Center.start();
  }, 180_000);
  afterEach(() => center.clear());
  afterAll(() => center?.stop());

  const command: Platform['do'] = (...order) => center.platform.do(...order);
  const mixed = (call: PhoneCall, who: Who) =>
    eventually(() => call.ear.hears(VOICES[who]) > 0.2, `${who} is heard among others`);
  const unmixed = (call: PhoneCall, who: Who) =>
    eventually(() => call.ear.hears(VOICES[who]) < 0.02 && call.ear.loudness > 500, `${who} is not heard`);

  describe('one leg', () => {
    it('is answered, plays, falls silent, and is hung up', async () => {
      const { call, leg } = await center.controlled();
      await command('play', { leg, play: { source: TONE, loops: 0 } });
      await center.hears(call, TONE_HZ);
      await command('stopPlay', { leg });
      await center.hearsNothing(call);
      await command('hangUp', { leg });
      expect(await center.ended(call)).toMatchObject({ by: 'remote' });
    });

    it('is refused before it is answered, with the status of the cause', async () => {
      const call = await center.dial(NUMBERS.control);
      await command('hangUp', { leg: center.platform.leg(await center.leg(call)), cause: 'USER_BUSY' });
      await center.ended(call);
      expect(call.status).toBe(486);
    });

    it('is spoken to', async () => {
      const { call, leg } = await center.controlled();
      await command('say', { leg, say: { text: 'Your call is important to us', voice: '' } });
      await center.hearsSpeech(call);
    });

    it('is asked for digits', async () => {
      const { call, leg } = await center.controlled();
      const collect = {
        ...{ prompt: { source: TONE, loops: 0 }, minDigits: 1, maxDigits: 6, terminators: '#' },
        ...{ timeoutMs: 5_000, digitTimeoutMs: 0 },
      };
      const asked = command('collectDigits', { leg, collect }, 20_000);
      await center.hears(call, TONE_HZ);
      for (const digit of '4711#') {
        call.press(digit);
        await center.platform.told({ event: 'dtmf', legUuid: leg.legUuid, digit });
      }
      expect(await asked).toMatchObject({ digits: '4711', terminator: '#', repeated: false });
    });

    it('gets digits', async () => {
      const { call, leg } = await center.controlled();
      await command('sendDtmf', { leg, dtmf: { digits: '12#', durationMs: 80 } });
      await eventually(() => call.ear.digits === '12#', 'the digits came');
    });

    it('is recorded, not for a while, and then no more', async () => {
      const { call, leg } = await center.controlled();
      const { recording, nodeId } = await command('startRecording', { leg });
      expect(recording).toMatch(new RegExp(`^acme/.*/${leg.sessionId}-${leg.legUuid}`));
      await eventually(() => center.recorded(nodeId, recording) > 8_000, 'the file grows');
      await command('pauseRecording', { leg, on: true });
      await command('pauseRecording', { leg, on: false });
      await command('stopRecording', { leg });
      const { recordingMs } = await center.platform.told({ event: 'recorded', legUuid: leg.legUuid });
      expect(recordingMs).toBeGreaterThan(400);
      expect(call.end).toBeUndefined();
      await expect(command('stopRecording', { leg })).rejects.toMatchObject({ code: 'precondition_failed' });
    });

    it('does a program, and is parked out of it', async () => {
      const { call, leg } = await center.controlled();
      const steps = [{ step: { $case: 'echo', value: {} } as const }];
      await command('run', { leg, program: { steps } });
      await center.hears(call, VOICES.pbx);
      await command('park', { leg, timeoutS: 1 });
      await center.hearsNothing(call);
      expect(await center.ended(call)).toMatchObject({ by: 'remote' });
    });

    it('has variables, of which headers reach whom it calls', async () => {
      const { leg } = await center.controlled();
      await command('setVariables', { leg, variables: { variables: { 'sip_h_X-Ticket': '4711' } } });
      const outside = { target: { $case: 'trunk', value: 'acme-pbx/204' } } as const;
      await command('transferBlind', { leg, destination: outside });
      expect((await center.taken('pbx')).invite.headers.get('X-Ticket')).toBe('4711');
    });

    it.each([
      ['play', { play: { source: '../secret.wav', loops: 0 } }, 'play.source'],
      ['hangUp', { cause: 'NO_SUCH_CAUSE' }, 'cause'],
      ['sendDtmf', { dtmf: { digits: '1x', durationMs: 0 } }, 'dtmf.digits'],
      [
        'setVariables',
        { variables: { variables: { api_hangup_hook: 'system id' } } },
        'variables.variables.api_hangup_hook',
      ],
      ['joinConference', { conference: { room: 'a b', muted: false, moderator: false } }, 'conference.room'],
    ] as const)('is not changed by a wrong %s, whose field is named', async (rpc, request, field) => {
      const { call, leg } = await center.controlled();
      const refused = { code: 'invalid_argument', field };
      await expect(command(rpc, { leg, ...request })).rejects.toMatchObject(refused);
      expect(call.end).toBeUndefined();
    });
  });

  describe('two legs', () => {
    it('are connected by originate and bridge, on one node, and end together', async () => {
      const { call, leg } = await center.controlled();
      const { tenantId, sessionId } = leg;
      const placed = await command('originate', { tenantId, sessionId, destination: agent('bob') });
      const bob = await center.taken('bob');
      await center.platform.told({ event: 'answered', legUuid: placed.leg!.legUuid });
      await command('bridge', { leg, otherLegUuid: placed.leg!.legUuid });
      await center.talk(call, 'pbx', bob, 'bob');
      const { legs } = await command('getSession', { tenantId, sessionId });
      expect(legs.map(({ legUuid }) => legUuid)).toEqual(
        expect.arrayContaining([leg.legUuid, placed.leg!.legUuid]),
      );
      await command('hangUp', { leg: { ...leg, legUuid: '' } });
      await center.ended(call);
      await center.ended(bob);
    });

    it('hold: one is sent music and not heard; taken back, both are', async () => {
      const { call, leg, callee } = await center.talking('alice');
      await command('hold', { leg, on: true });
      await eventually(() => call.offered === 'sendonly', 'a re-INVITE says sendonly');
      await center.hearsNothing(callee);
      await command('hold', { leg, on: false });
      await center.talk(call, 'pbx', callee, 'alice');
    });

    it('hear both what is played to both', async () => {
      const { call, leg, callee } = await center.talking('alice');
      await command('play', { leg, play: { source: TONE, loops: 0 }, both: true });
      await center.hears(call, TONE_HZ);
      await center.hears(callee, TONE_HZ);
    });

    it('are parted by a blind transfer to another agent, who sees who calls', async () => {
      const { call, leg, callee } = await center.talking('alice');
      await command('transferBlind', { leg, destination: agent('carol') });
      await center.ended(callee);
      await center.talk(call, 'pbx', await center.taken('carol'), 'carol');
    });

    it('a caller transferred to who does not answer in time gets the mailbox', async () => {
      center.do((one) => one.ring(), 'bob');
      const { call, leg } = await center.controlled();
      await command('transferBlind', { leg, destination: agent('bob'), timeoutS: 3 });
      await center.ended(await center.taken('bob'));
      await center.hearsSpeech(call);
    });

    it('are rejoined by an attended transfer: the caller with whom the agent consulted', async () => {
      const { call, leg, callee } = await center.talking('alice');
      await command('hold', { leg, on: true });
      const { tenantId, sessionId } = leg;
      const consulted = await command('originate', { tenantId, sessionId, destination: agent('carol') });
      const carol = await center.taken('carol');
      const consultedLegUuid = consulted.leg!.legUuid;
      await center.platform.told({ event: 'answered', legUuid: consultedLegUuid });
      await command('transferAttended', { leg, consultedLegUuid });
      await center.talk(call, 'pbx', carol, 'carol');
      await center.ended(callee);
    });

    it('are listened to, whispered to and joined by a supervisor', async () => {
      const { call, callee, calleeLeg } = await center.talking('alice');
      const { tenantId, sessionId } = calleeLeg;
      const placed = await command('originate', { tenantId, sessionId, destination: agent('carol') });
      const carol = await center.taken('carol');
      await center.platform.told({ event: 'answered', legUuid: placed.leg!.legUuid });
      const supervise = (mode: SuperviseMode) =>
        command('supervise', { leg: placed.leg, supervisedLegUuid: calleeLeg.legUuid, mode });
      await supervise(SuperviseMode.SUPERVISE_MODE_LISTEN);
      await mixed(carol, 'pbx');
      await mixed(carol, 'alice');
      await unmixed(callee, 'carol');
      await supervise(SuperviseMode.SUPERVISE_MODE_WHISPER);
      await mixed(callee, 'carol');
      await unmixed(call, 'carol');
      await supervise(SuperviseMode.SUPERVISE_MODE_BARGE);
      await mixed(call, 'carol');
    });

    it('in a room one is muted, heard again, and removed', async () => {
      const { call, leg } = await center.controlled();
      const { tenantId, sessionId } = leg;
      const placed = await command('originate', { tenantId, sessionId, destination: agent('bob') });
      const bob = await center.taken('bob');
      await center.platform.told({ event: 'answered', legUuid: placed.leg!.legUuid });
      const conference = { room: 'huddle', muted: false, moderator: false };
      for (const member of [leg, placed.leg!]) await command('joinConference', { leg: member, conference });
      await center.talk(call, 'pbx', bob, 'bob');
      await command('muteInConference', { leg, on: true });
      await center.hearsNothing(bob);
      await command('muteInConference', { leg, on: false });
      await center.hears(bob, VOICES.pbx);
      await command('kickFromConference', { leg });
      await center.hearsNothing(bob);
      expect(call.end).toBeUndefined();
    });
  });

  describe('a call that is placed', () => {
    it('shows who calls, does its program when it is answered, and is heard of by events', async () => {
      const program = { steps: [{ step: { $case: 'play', value: { source: TONE, loops: 0 } } as const }] };
      const { leg, nodeId } = await command('originate', {
        ...{ tenantId: 'acme', destination: agent('alice'), program },
        ...{ callerNumber: NUMBERS.control, callerName: 'Acme' },
      });
      const alice = await center.taken('alice');
      expect(alice.invite.headers.get('from')).toContain(`"Acme" <sip:${NUMBERS.control}@`);
      await center.hears(alice, TONE_HZ);
      const created = await center.platform.told({ event: 'created', legUuid: leg!.legUuid });
      expect(created).toMatchObject({ nodeId, agentId: 'alice@acme.example', outbound: true });
    });

    it('goes outside by the carrier', async () => {
      const destination = { target: { $case: 'number', value: '+498912345' } } as const;
      await command('originate', { tenantId: 'acme', destination, callerNumber: NUMBERS.control });
      const carrier = await center.taken('carrier');
      expect(carrier.invite.uri).toContain('498912345');
      expect(carrier.invite.headers.get('from')).toContain(NUMBERS.control);
    });

    it.each([
      ['nobody of the tenant', agent('pbx'), 'unknown_agent'],
      [
        'whom the tenant may not call',
        { target: { $case: 'number', value: '+49190123' } },
        'destination_forbidden',
      ],
      ['a room', { target: { $case: 'room', value: 'board' } }, 'precondition_failed'],
    ] as const)('to %s is refused', async (_, destination, code) => {
      const refusal = command('originate', { tenantId: 'acme', destination });
      await expect(refusal).rejects.toMatchObject({ code });
    });
  });

  it('a leg on a router is not commanded: the error says where to', async () => {
    const { leg } = await center.talking('alice');
    const { platform } = center;
    const { sessionId } = leg;
    const onRouter = await platform.told({ event: 'created', role: 'NODE_ROLE_ROUTER', sessionId });
    const refusal = command('hangUp', { leg: platform.leg(onRouter) });
    await expect(refusal).rejects.toMatchObject({
      code: 'precondition_failed',
      message: expect.stringContaining("only passes signalling on: command the session's legs on fs-red-"),
    });
  });

  it('a frozen agent costs a command its deadline, and does not do it when it wakes', async () => {
    const { call, leg, callee } = await center.talking('alice');
    const { nodeId } = await command('getSession', leg);
    const { agent: sidecar } = center.world.mesh.node(nodeId);
    sidecar.freeze();
    const began = performance.now();
    try {
      const refusal = command('hangUp', { leg }, 1_500);
      await expect(refusal).rejects.toMatchObject({ code: 'outcome_unknown' });
      expect(performance.now() - began).toBeLessThan(1_500);
    } finally {
      sidecar.thaw();
    }
    await eventually(
      () => command('play', { leg, play: { source: TONE, loops: 0 } }).then(() => true),
      'it is back',
    );
    await center.hears(call, TONE_HZ);
    expect([call.end, callee.end]).toEqual([undefined, undefined]);
  });

  describe('another tenant', () => {
    it('commands nothing, sees nothing and hears nothing of it', async () => {
      const { call, leg, callee } = await center.talking('alice');
      const stranger = new Platform(center.world.mesh, 'globex', { token: GLOBEX_TOKEN });
      const { tenantId, sessionId } = leg;
      for (const tenant of [tenantId, 'globex'])
        for (const rpc of ['hangUp', 'park', 'startRecording'] as const)
          await expect(stranger.do(rpc, { leg: { ...leg, tenantId: tenant } })).rejects.toEqual(forbidden);
      await expect(stranger.do('getSession', { tenantId, sessionId })).rejects.toEqual(forbidden);
      await expect(stranger.do('getSession', { tenantId: 'globex', sessionId })).rejects.toEqual(forbidden);
      const into = { tenantId: 'globex', sessionId, destination: agent('alice') };
      await expect(stranger.do('originate', into)).rejects.toMatchObject({
        code: expect.stringMatching(/tenant_forbidden|unknown_agent/),
      });
      const peeping = new Platform(center.world.mesh, 'acme', { token: GLOBEX_TOKEN });
      await center.talk(call, 'pbx', callee, 'alice');
      call.press('5');
      await center.platform.told({ event: 'dtmf', legUuid: leg.legUuid, digit: '5' });
      expect([...stranger.events, ...peeping.events]).toEqual([]);
      for (const one of [stranger, peeping]) one.close();
    });
  });
});
