import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '@callmesh/local';
import { SuperviseMode } from '@callmesh/proto/command';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Phone, PhoneCall } from '../sip/phone.ts';
import { type Caller, CommandedNode, dialOf, hop, program, TENANT } from './commanded.ts';

const ALICE = 700;
const BOB = 1100;
const CAROL = 1500;
const TONE = 'tone_stream://%(1000,0,440)';
const TONE_HZ = 440;

/** Each command is seen to take effect at the far end: by SIP or by what is heard there. */
export function commandedRules(title: string): void {
  describe(title, () => {
    let node: CommandedNode;
    let alice: Phone;
    let bob: Phone;
    let carol: Phone;

    beforeAll(async () => {
      node = await CommandedNode.start();
    }, 120_000);
    afterAll(() => node?.stop());
    const phones = async () => {
      alice = await node.phone('alice', ALICE);
      bob = await node.phone('bob', BOB);
      carol = await node.phone('carol', CAROL);
    };
    afterEach(() => node.hangUpAll());

    const hears = (call: PhoneCall, hertz: number) =>
      eventually(() => call.ear.hears(hertz) > 0.8, `${hertz} Hz is heard`);
    /** What a held far end hears: a short tone now and then. */
    const music = (call: PhoneCall) => eventually(() => call.ear.hears(TONE_HZ) > 0.2, 'music is heard');
    const silent = (call: PhoneCall) => eventually(() => call.ear.loudness < 100, 'nothing is heard');
    const taken = (phone: Phone, nth = 0) =>
      eventually(() => phone.calls[nth], `${phone.agent.user} is called`);
    const ended = (call: PhoneCall) => eventually(() => call.end, 'the call ended');
    const header = (call: PhoneCall, name: string) => call.invite.headers.get(name) ?? '';

    /** Alice calls in and is connected to bob by a program. */
    async function connected(more: Parameters<typeof dialOf>[1] = {}): Promise<{ a: Caller; b: PhoneCall }> {
      await phones();
      const a = await node.caller(alice);
      await node.run(a, { $case: 'dial', value: dialOf([[bob]], more) });
      const b = await taken(bob);
      await hears(a.call, BOB);
      await hears(b, ALICE);
      return { a, b };
    }

    describe('to a leg', () => {
      it('answer: the caller gets 200, and not before', async () => {
        await phones();
        const a = await node.caller(alice);
        expect(a.call.status).toBe(0);
        await node.ok(a, { $case: 'answer', value: {} });
        await eventually(() => a.call.status === 200, 'answered');
        expect(await node.told({ event: 'answered', legUuid: a.leg })).toMatchObject({
          tenantId: TENANT,
          sessionId: a.session,
        });
      });

      it.each([
        ['USER_BUSY', 486],
        ['NO_ANSWER', 480],
        ['UNALLOCATED_NUMBER', 404],
      ])('hang up: an unanswered caller gets %s as %i', async (cause, status) => {
        await phones();
        const a = await node.caller(alice);
        await node.ok(a, { $case: 'hangUp', value: { cause } });
        await ended(a.call);
        expect(a.call.status).toBe(status);
        expect(await node.told({ event: 'hangup', legUuid: a.leg })).toMatchObject({ hangupCause: cause });
      });

      it('hang up: an answered caller gets BYE', async () => {
        await phones();
        const a = await node.answered(alice);
        await node.ok(a, { $case: 'hangUp', value: { cause: '' } });
        expect(await ended(a.call)).toMatchObject({ by: 'remote' });
      });

      it('play: the tone is heard, until it is stopped', async () => {
        await phones();
        const a = await node.answered(alice);
        await node.ok(a, { $case: 'play', value: { play: { source: TONE, loops: -1 }, both: false } });
        await hears(a.call, TONE_HZ);
        await node.ok(a, { $case: 'stopPlay', value: {} });
        await silent(a.call);
      });

      it('play: another ends what plays', async () => {
        await phones();
        const a = await node.answered(alice);
        await node.ok(a, { $case: 'play', value: { play: { source: TONE, loops: -1 }, both: false } });
        await hears(a.call, TONE_HZ);
        const other = 'tone_stream://%(1000,0,900)';
        await node.ok(a, { $case: 'play', value: { play: { source: other, loops: -1 }, both: false } });
        await hears(a.call, 900);
      });

      it('play: over a connection one hears it, or both, and then they hear each other again', async () => {
        const { a, b } = await connected();
        await node.ok(a, { $case: 'play', value: { play: { source: TONE, loops: -1 }, both: false } });
        await hears(a.call, TONE_HZ);
        await silent(b);
        await node.ok(a, { $case: 'stopPlay', value: {} });
        await hears(a.call, BOB);
        await hears(b, ALICE);
        await node.ok(a, { $case: 'play', value: { play: { source: TONE, loops: 2 }, both: true } });
        await hears(a.call, TONE_HZ);
        await hears(b, TONE_HZ);
        await hears(a.call, BOB);
        await hears(b, ALICE);
      });

      it('say: a voice is heard', async () => {
        await phones();
        const a = await node.answered(alice);
        const text = "It's five o'clock, Mr. O'Brien; press 1, 2 or 3.";
        await node.ok(a, { $case: 'say', value: { text, voice: '' } });
        await eventually(() => a.call.ear.loudness > 300, 'somebody speaks');
        await silent(a.call);
      });

      it('send dtmf: the far end gets the digits (RFC 4733)', async () => {
        const { a, b } = await connected();
        await node.ok(a, { $case: 'sendDtmf', value: { digits: '12#A', durationMs: 80 } });
        await eventually(() => a.call.ear.digits === '12#A', 'the digits came');
        expect(b.ear.digits).toBe('');
      });

      it('collect: replies with the digits and what ended them, and the connection goes on', async () => {
        const { a, b } = await connected();
        const asked = node.ok(
          a,
          collect({ maxDigits: 6, terminators: '#', prompt: { source: TONE, loops: 0 } }),
        );
        await hears(a.call, TONE_HZ);
        for (const digit of '4711#') {
          a.call.press(digit);
          await node.told({ event: 'dtmf', legUuid: a.leg, digit });
        }
        expect(await asked).toMatchObject({ digits: '4711', terminator: '#' });
        await hears(a.call, BOB);
        await hears(b, ALICE);
      });

      it('collect: takes as many as were asked for, and what there is when nobody goes on', async () => {
        await phones();
        const a = await node.answered(alice);
        const two = node.ok(a, collect({ maxDigits: 2 }));
        a.call.press('1');
        await node.told({ event: 'dtmf', legUuid: a.leg, digit: '1' });
        a.call.press('2');
        expect(await two).toMatchObject({ digits: '12', terminator: '' });
        expect(await node.ok(a, collect({ maxDigits: 2, timeoutMs: 1000 }))).toMatchObject({ digits: '' });
      });

      it('collect: fails when the leg ends', async () => {
        await phones();
        const a = await node.answered(alice);
        const asked = node.command(a, collect({ maxDigits: 2 }));
        await eventually(
          async () => (await node.api(`uuid_getvar ${a.leg} current_application`)) === 'play_and_get_digits',
          'asked',
        );
        a.call.hangUp();
        expect(await asked).toMatchObject({ errorCode: 'precondition_failed' });
      });

      it('set variables: the leg has them, quotes and all, and headers of ours reach a callee', async () => {
        await phones();
        const a = await node.answered(alice);
        const variables = { account: `O'Brien, "x"; $5 = {a|b} ^c [d]`, 'sip_h_X-Ticket': 'T-1;a=b' };
        await node.ok(a, { $case: 'setVariables', value: { variables } });
        expect(await node.api(`uuid_getvar ${a.leg} account`)).toBe(variables.account);
        await node.run(a, { $case: 'dial', value: dialOf([[bob]]) });
        expect(header(await taken(bob), 'X-Ticket')).toBe('T-1;a=b');
      });
    });

    describe('of holding', () => {
      it('hold: the far end is sent to only, hears music, and is not heard; unhold: as before', async () => {
        const { a, b } = await connected();
        await node.ok(a, { $case: 'hold', value: { on: true } });
        await eventually(() => a.call.offered === 'sendonly', 'a re-INVITE says sendonly');
        await music(a.call);
        await silent(b);
        expect(b.received).toEqual([]);
        await node.told({ event: 'held', legUuid: a.leg });
        await node.ok(a, { $case: 'hold', value: { on: true } });
        await node.ok(a, { $case: 'hold', value: { on: false } });
        await eventually(() => a.call.offered === 'sendrecv', 'a re-INVITE says sendrecv');
        await hears(a.call, BOB);
        await hears(b, ALICE);
        await node.told({ event: 'unheld', legUuid: a.leg });
        expect(a.call.received.filter(({ method }) => method === 'INVITE')).toHaveLength(2);
        const story = node.story(a.leg).map(({ event }) => event);
        expect(story.filter((event) => event === 'held' || event === 'unheld')).toEqual(['held', 'unheld']);
      });

      it('a held caller ends with whom it was connected to', async () => {
        const { a, b } = await connected();
        await node.ok(a, { $case: 'hold', value: { on: true } });
        await music(a.call);
        b.hangUp();
        expect(await ended(a.call)).toMatchObject({ by: 'remote' });
      });

      it('is told when the far end holds by itself', async () => {
        const { a, b } = await connected();
        const bLeg = (await node.told({ event: 'bridged', legUuid: a.leg })).otherLegUuid;
        expect((await b.hold(true)).status).toBe(200);
        await node.told({ event: 'held', legUuid: bLeg });
        expect(await node.command({ ...a, leg: bLeg }, { $case: 'hold', value: { on: true } })).toMatchObject(
          {
            errorCode: 'precondition_failed',
          },
        );
        expect((await b.hold(false)).status).toBe(200);
        await node.told({ event: 'unheld', legUuid: bLeg });
        await hears(a.call, BOB);
      });
    });

    describe('of connecting', () => {
      it('bridge: two callers hear each other, and the end of one is the end of both', async () => {
        await phones();
        const [a, b] = [await node.answered(alice), await node.answered(bob)];
        await node.ok(a, { $case: 'bridge', value: { otherLegUuid: b.leg } });
        await hears(a.call, BOB);
        await hears(b.call, ALICE);
        for (const [leg, otherLegUuid] of [
          [a.leg, b.leg],
          [b.leg, a.leg],
        ])
          await node.told({ event: 'bridged', legUuid: leg!, otherLegUuid: otherLegUuid! });
        b.call.hangUp();
        await ended(a.call);
      });

      it('attended transfer: the held caller is connected to the third, and who stood between is hung up', async () => {
        const { a, b } = await connected();
        const c = await node.answered(carol);
        await node.ok(a, { $case: 'hold', value: { on: true } });
        await music(a.call);
        await node.ok(a, { $case: 'bridge', value: { otherLegUuid: c.leg } });
        await hears(a.call, CAROL);
        await hears(c.call, ALICE);
        expect(a.call.offered).toBe('sendrecv');
        await ended(b);
        a.call.hangUp();
        await ended(c.call);
        expect((await node.told({ event: 'hangup', legUuid: a.leg })).summary).toMatchObject({
          transferred: true,
          lastBridgeUuid: c.leg,
          endedBy: 'far',
        });
      });

      it('blind transfer: the caller is taken out and goes on to another; the first is hung up', async () => {
        const { a, b } = await connected();
        await node.run(a, { $case: 'dial', value: dialOf([[carol]]) });
        await ended(b);
        const c = await taken(carol);
        await hears(a.call, CAROL);
        const bLeg = (await node.told({ event: 'bridged', legUuid: a.leg })).otherLegUuid;
        expect((await node.told({ event: 'hangup', legUuid: bLeg })).summary).toMatchObject({
          transferred: false,
          endedBy: 'near',
        });
        c.hangUp();
        await ended(a.call);
        expect((await node.told({ event: 'hangup', legUuid: a.leg })).summary).toMatchObject({
          transferred: true,
        });
      });

      it('park after: the caller stays, and can be commanded on', async () => {
        const { a, b } = await connected({ parkAfter: true });
        b.hangUp();
        await node.told({ event: 'unbridged', legUuid: a.leg });
        await node.ok(a, { $case: 'play', value: { play: { source: TONE, loops: -1 }, both: false } });
        await hears(a.call, TONE_HZ);
      });
    });

    describe('of dialling', () => {
      it('says to whoever is called whose call it is, and by which trunk it is to leave', async () => {
        await phones();
        const a = await node.caller(alice, {
          'X-Callmesh-Function': 'general',
          'X-Callmesh-Trunk': 'came-by',
          'X-Callmesh-Node': 'fs-media-1',
          'X-Ours': 'kept',
        });
        const leg = { hops: [hop(bob.uri)], agentId: 'bob@acme.example', trunkId: 'leaves-by' };
        const dial = dialOf([], {
          groups: [{ legs: [leg], timeoutS: 0 }],
          callerNumber: '+49301',
          callerName: "O'Brien, Ann",
        });
        await node.run(a, { $case: 'dial', value: dial });
        const b = await taken(bob);
        expect(header(b, 'X-Callmesh-Session')).toBe(a.session);
        expect(header(b, 'X-Callmesh-Tenant')).toBe(TENANT);
        expect(header(b, 'X-Callmesh-Function')).toBe('general');
        expect(header(b, 'X-Callmesh-Trunk')).toBe('leaves-by');
        expect(header(b, 'X-Callmesh-Node')).toBe('');
        expect(header(b, 'X-Ours')).toBe('kept');
        expect(header(b, 'From')).toMatch(/^"O'Brien, Ann" <sip:\+49301@/);
        expect(await node.told({ event: 'created', sessionId: a.session, outbound: true })).toMatchObject({
          ...{ tenantId: TENANT, agentId: 'bob@acme.example', trunkId: 'leaves-by', function: 'general' },
        });
      });

      it('keeps the trunk a call came by to itself', async () => {
        await phones();
        const a = await node.caller(alice, { 'X-Callmesh-Trunk': 'came-by' });
        await node.run(a, { $case: 'dial', value: dialOf([[bob]]) });
        expect(header(await taken(bob), 'X-Callmesh-Trunk')).toBe('');
        expect(node.story(a.leg)[0]).toMatchObject({ trunkId: 'came-by' });
      });

      it('calls all of a group at once: the first to answer wins, the others are cancelled', async () => {
        await phones();
        for (const phone of [bob, carol]) phone.onCall = (call) => call.ring();
        const a = await node.caller(alice);
        await node.run(a, { $case: 'ring', value: {} }, { $case: 'dial', value: dialOf([[bob, carol]]) });
        const [b, c] = [await taken(bob), await taken(carol)];
        expect([header(b, 'X-Callmesh-Session'), header(c, 'X-Callmesh-Session')]).toEqual([
          a.session,
          a.session,
        ]);
        await eventually(() => a.call.statuses.includes(180), 'the caller is told that it rings');
        c.answer();
        await ended(b);
        await hears(a.call, CAROL);
        expect(b.end).toMatchObject({ by: 'remote', status: 487 });
      });

      it('calls group after group, whatever the first fails of', async () => {
        await phones();
        bob.onCall = (call) => call.refuse(486);
        const a = await node.caller(alice);
        await node.run(a, { $case: 'dial', value: dialOf([[bob], [carol]]) });
        await hears(a.call, CAROL);
        expect(bob.calls).toHaveLength(1);
      });

      it('gives up a group after its time: NO_ANSWER, and the next step follows when that is named', async () => {
        await phones();
        bob.onCall = (call) => call.ring();
        const a = await node.caller(alice);
        const [group] = dialOf([[bob]]).groups;
        const dial = dialOf([], { groups: [{ ...group!, timeoutS: 1 }], continueOn: ['NO_ANSWER'] });
        await node.run(
          a,
          { $case: 'dial', value: dial },
          { $case: 'hangUp', value: { cause: 'CALL_REJECTED' } },
        );
        await ended(await taken(bob));
        await ended(a.call);
        expect(a.call.status).toBe(603);
        const out = await node.told({ event: 'created', sessionId: a.session, outbound: true });
        expect(await node.told({ event: 'hangup', legUuid: out.legUuid })).toMatchObject({
          hangupCause: 'NO_ANSWER',
        });
      });

      it('ends the caller with the cause of the callee, unless that cause is named', async () => {
        await phones();
        bob.onCall = (call) => call.refuse(486);
        const a = await node.caller(alice);
        const dial = dialOf([[bob]], { continueOn: ['NO_ANSWER'] });
        await node.run(a, { $case: 'dial', value: dial }, { $case: 'answer', value: {} });
        await ended(a.call);
        expect(a.call.status).toBe(486);
      });

      it('takes the next way when one is dead, and no other when the party itself refuses', async () => {
        await phones();
        const nowhere = 'sip:127.0.0.1:9;transport=udp';
        const way = (phone: Phone) => hop(phone.uri, `sip:${phone.address};transport=udp`);
        const dial = (hops: ReturnType<typeof hop>[]) =>
          dialOf([], { groups: [{ legs: [{ hops, agentId: '', trunkId: '' }], timeoutS: 10 }] });
        const a = await node.caller(alice);
        await node.run(a, { $case: 'dial', value: dial([hop(bob.uri, nowhere), way(bob)]) });
        await hears(a.call, BOB);
        carol.onCall = (call) => call.refuse(486);
        const again = await node.caller(alice);
        await node.run(again, { $case: 'dial', value: dial([way(carol), way(carol)]) });
        await ended(again.call);
        expect(again.call.status).toBe(486);
        expect(carol.calls).toHaveLength(1);
      });

      it('lets the caller hear what comes before the answer, and still gives up in time', async () => {
        await phones();
        bob.onCall = (call) => call.earlyMedia();
        const a = await node.caller(alice);
        const [group] = dialOf([[bob]]).groups;
        const dial = dialOf([], { groups: [{ ...group!, timeoutS: 3 }] });
        await node.run(a, { $case: 'dial', value: dial });
        await hears(a.call, BOB);
        expect(a.call.status).toBe(0);
        await ended(a.call);
      });

      it('anonymous: whoever is called does not learn who calls', async () => {
        await phones();
        const a = await node.caller(alice);
        await node.run(a, {
          $case: 'dial',
          value: dialOf([[bob]], { anonymous: true, callerNumber: '+49301', callerName: 'Ann' }),
        });
        const b = await taken(bob);
        expect(header(b, 'Privacy')).toBe('id');
        expect(header(b, 'From')).toMatch(/^"Anonymous" <sip:anonymous@anonymous\.invalid>/);
        expect(header(b, 'Remote-Party-ID')).toBe('');
      });
    });

    describe('of rooms', () => {
      it('conference: members hear each other; mute, kick; rooms of tenants are apart', async () => {
        await phones();
        const [a, b] = [await node.answered(alice), await node.answered(bob)];
        const c = await node.answered(carol, { 'X-Callmesh-Tenant': 'globex' });
        const room = {
          $case: 'conference',
          value: { room: 'board', muted: false, moderator: false },
        } as const;
        for (const caller of [a, b, c]) await node.run(caller, room);
        await hears(a.call, BOB);
        await hears(b.call, ALICE);
        expect(c.call.ear.hears(ALICE)).toBeLessThan(0.1);
        expect(await node.told({ event: 'joined', legUuid: a.leg })).toMatchObject({ room: 'board' });
        await node.ok(a, { $case: 'mute', value: { on: true } });
        await silent(b.call);
        await hears(a.call, BOB);
        await node.ok(a, { $case: 'mute', value: { on: false } });
        await hears(b.call, ALICE);
        await node.ok(a, { $case: 'kick', value: {} });
        await node.told({ event: 'left', legUuid: a.leg });
        await silent(b.call);
        expect(a.call.end).toBeUndefined();
        await node.ok(a, { $case: 'play', value: { play: { source: TONE, loops: -1 }, both: false } });
        await hears(a.call, TONE_HZ);
        expect(await node.command(a, { $case: 'kick', value: {} })).toMatchObject({
          errorCode: 'precondition_failed',
        });
      });

      it('supervise: listens, whispers, barges, and changes between them', async () => {
        const { a, b } = await connected();
        const s = await node.answered(carol);
        const supervise = (mode: SuperviseMode) =>
          node.ok(s, { $case: 'supervise', value: { supervisedLegUuid: a.leg, mode } });
        const mixed = (call: PhoneCall, hertz: number) =>
          eventually(() => call.ear.hears(hertz) > 0.25, `${hertz} Hz is heard among others`);
        const unmixed = (call: PhoneCall, hertz: number) =>
          eventually(() => call.ear.hears(hertz) < 0.02 && call.ear.loudness > 500, `no ${hertz} Hz`);
        await supervise(SuperviseMode.SUPERVISE_MODE_LISTEN);
        await mixed(s.call, ALICE);
        await mixed(s.call, BOB);
        await unmixed(a.call, CAROL);
        await unmixed(b, CAROL);
        await supervise(SuperviseMode.SUPERVISE_MODE_WHISPER);
        await mixed(a.call, CAROL);
        await mixed(a.call, BOB);
        await unmixed(b, CAROL);
        await supervise(SuperviseMode.SUPERVISE_MODE_BARGE);
        await mixed(b, CAROL);
        await mixed(a.call, CAROL);
        // A key changes nothing.
        s.call.press('0');
        await mixed(b, CAROL);
        await supervise(SuperviseMode.SUPERVISE_MODE_LISTEN);
        await unmixed(b, CAROL);
        b.hangUp();
        await ended(s.call);
      });
    });

    describe('of recording', () => {
      it('start, pause, go on, stop: the file has what was heard, and silence in between', async () => {
        const { a } = await connected();
        const { recording } = await node.ok(a, {
          $case: 'startRecording',
          value: { stereo: true, limitS: 0 },
        });
        expect(recording).toMatch(
          new RegExp(`^${TENANT}/\\d{4}-\\d\\d-\\d\\d/${a.session}-${a.leg}-[\\d.]+\\.wav$`),
        );
        await node.told({ event: 'recording', legUuid: a.leg, recording });
        const path = join(node.recordings, recording);
        const grown = (more: number) => {
          const from = size(path);
          return eventually(() => size(path) >= from + more, 'the file grows', 15_000);
        };
        await grown(16_000);
        await node.ok(a, { $case: 'pauseRecording', value: { on: true } });
        await grown(32_000);
        await node.ok(a, { $case: 'pauseRecording', value: { on: false } });
        await grown(16_000);
        await node.ok(a, { $case: 'stopRecording', value: {} });
        const recorded = await node.told({ event: 'recorded', legUuid: a.leg, recording });
        expect(recorded.recordingMs).toBeGreaterThan(1_500);
        const pieces = loudPieces(readFileSync(path));
        expect(pieces).toEqual(['loud', 'silent', 'loud']);
        expect(await node.command(a, { $case: 'stopRecording', value: {} })).toMatchObject({
          errorCode: 'precondition_failed',
        });
        const again = await node.ok(a, { $case: 'startRecording', value: { stereo: false, limitS: 1 } });
        expect(again.recording).not.toBe(recording);
        await node.told({ event: 'recorded', legUuid: a.leg, recording: again.recording });
      });
    });

    describe('of programs', () => {
      it('run: step after step, without anybody; then the leg ends', async () => {
        await phones();
        const a = await node.caller(alice);
        await node.run(
          a,
          ...[{ $case: 'ring', value: {} } as const, { $case: 'wait', value: { ms: 200 } } as const],
          { $case: 'answer', value: {} },
          { $case: 'startRecording', value: { stereo: false, limitS: 0 } },
          { $case: 'play', value: { source: TONE, loops: 1 } },
          { $case: 'say', value: { text: 'Good bye', voice: '' } },
        );
        await eventually(() => a.call.statuses.includes(180), 'it rings');
        await hears(a.call, TONE_HZ);
        await eventually(() => a.call.ear.hears(TONE_HZ) < 0.1 && a.call.ear.loudness > 300, 'it speaks');
        expect(await ended(a.call)).toMatchObject({ by: 'remote' });
        const { recording } = await node.told({ event: 'recorded', legUuid: a.leg });
        expect(loudPieces(readFileSync(join(node.recordings, recording)))).toContain('loud');
      });

      it('echo: the caller hears itself', async () => {
        await phones();
        const a = await node.caller(alice);
        await node.run(a, { $case: 'answer', value: {} }, { $case: 'echo', value: {} });
        await hears(a.call, ALICE);
      });

      it('park: waits for commands, and not longer than it is told to', async () => {
        await phones();
        const a = await node.caller(alice);
        await node.run(a, { $case: 'answer', value: {} }, { $case: 'park', value: { timeoutS: 1 } });
        await eventually(() => a.call.status === 200, 'answered');
        expect(await ended(a.call)).toMatchObject({ by: 'remote' });
      });

      it('stop play: the step that plays is over, repeats and all, and the next follows', async () => {
        await phones();
        const a = await node.caller(alice);
        await node.run(
          a,
          { $case: 'answer', value: {} },
          { $case: 'play', value: { source: TONE, loops: -1 } },
          { $case: 'echo', value: {} },
        );
        await hears(a.call, TONE_HZ);
        await node.ok(a, { $case: 'stopPlay', value: {} });
        await hears(a.call, ALICE);
      });

      it('gives FreeSWITCH any text as it is', async () => {
        await phones();
        const a = await node.answered(alice);
        const texts = [
          ...[
            "'",
            "''",
            "it's",
            "'a' 'b'",
            'a,b',
            ', ,',
            'a^b^^c',
            '^^;x',
            'a|b',
            '| |',
            'a;b;',
            'a=b=c',
            '==',
          ],
          ...[
            '[a]',
            '{a}',
            '}{',
            '(a',
            '$',
            '$$',
            '$5',
            'a$',
            '%20',
            'm:^:x',
            '::',
            ' a ',
            '  ',
            'ü😀',
            '"q"',
            '!',
            '@@',
            '#',
          ],
        ];
        const variables = Object.fromEntries(texts.map((text, at) => [`mine${at}`, text]));
        const seen = async () => {
          const dump = JSON.parse(await node.api(`uuid_dump ${a.leg} json`));
          return Object.fromEntries(Object.keys(variables).map((name) => [name, dump[`variable_${name}`]]));
        };
        await node.ok(a, { $case: 'setVariables', value: { variables } });
        expect(await seen()).toEqual(variables);
        const turned = Object.fromEntries(texts.map((text, at) => [`mine${at}`, `${text}!${text}`]));
        await node.run(
          a,
          { $case: 'setVariables', value: { variables: turned } },
          { $case: 'park', value: { timeoutS: 0 } },
        );
        await eventually(async () => (await seen()).mine0 === turned.mine0, 'the program ran');
        expect(await seen()).toEqual(turned);
      });
    });

    describe('while things die', () => {
      const inOrder = (leg: string) => {
        const story = node.story(leg);
        const names = story.map(({ event }) => event);
        expect(new Set(story.map(({ event, sequence }) => `${event} ${sequence}`)).size).toBe(story.length);
        for (const once of ['created', 'answered', 'hangup'])
          expect(names.filter((name) => name === once).length).toBeLessThanOrEqual(1);
        // FreeSWITCH calls it early media when it answers.
        return names.filter((name) => name !== 'ringing');
      };

      it('the agent: the call goes on, control returns, nothing is done twice, and every end is told', async () => {
        const { a, b } = await connected();
        const c = await node.answered(carol);
        const once = { commandId: randomUUID() };
        const digits = { $case: 'sendDtmf', value: { digits: '7', durationMs: 0 } } as const;
        await node.ok(a, digits, once);
        await eventually(() => a.call.ear.digits === '7', 'the digit came');
        await node.agent.kill();
        expect(await node.command(a, digits).catch((error) => error)).toMatchObject({ code: 'unavailable' });
        c.call.hangUp();
        await hears(a.call, BOB);
        await node.agent.start();
        await node.up();
        expect(await node.ok(a, digits, once)).toMatchObject({ repeated: true });
        const first = { program: program({ $case: 'echo', value: {} }), onlyFirst: true };
        await node.ok(a, { $case: 'run', value: first });
        expect(await node.told({ event: 'hangup', legUuid: c.leg })).toMatchObject({ reconciled: true });
        await node.ok(a, { $case: 'hold', value: { on: true } });
        await music(a.call);
        await node.ok(a, { $case: 'hold', value: { on: false } });
        await hears(a.call, BOB);
        await hears(b, ALICE);
        expect(a.call.ear.digits).toBe('7');
        b.hangUp();
        await node.told({ event: 'hangup', legUuid: a.leg });
        expect(inOrder(a.leg)).toEqual([
          ...['created', 'answered', 'bridged', 'held', 'unheld', 'unbridged', 'hangup'],
        ]);
        expect(inOrder(c.leg)).toEqual(['created', 'answered', 'hangup']);
      });

      it('NATS: the call goes on, a command fails at once, control returns, and no event is lost or told twice', async () => {
        const { a, b } = await connected();
        await node.stage.natsServer.process.kill();
        await eventually(() => !node.stage.nats.connected, 'NATS is away');
        expect(await node.command(a, { $case: 'answer', value: {} }).catch((error) => error)).toMatchObject({
          code: 'unavailable',
        });
        a.call.press('5');
        await eventually(() => b.ear.digits === '5', 'the digit passed');
        await hears(a.call, BOB);
        await node.stage.natsServer.process.start();
        await eventually(() => node.stage.nats.connected, 'NATS is back', 15_000);
        await node.told({ event: 'dtmf', legUuid: a.leg, digit: '5' });
        await node.commandable(a);
        await node.ok(a, { $case: 'hangUp', value: { cause: '' } });
        await node.told({ event: 'hangup', legUuid: a.leg });
        expect(inOrder(a.leg)).toEqual([
          ...['created', 'answered', 'bridged', 'dtmf', 'unbridged', 'hangup'],
        ]);
      });

      it('FreeSWITCH, frozen: a command fails within its deadline, and is not done when it goes on', async () => {
        const { a, b } = await connected();
        node.server.freeze();
        try {
          const begun = Date.now();
          const expiresAt = new Date(begun + 800);
          expect(
            await node.command(a, { $case: 'hangUp', value: { cause: '' } }, { expiresAt }),
          ).toMatchObject({
            errorCode: 'unavailable',
          });
          expect(Date.now() - begun).toBeLessThan(1_500);
        } finally {
          node.server.thaw();
        }
        await hears(a.call, BOB);
        await node.ok(a, { $case: 'sendDtmf', value: { digits: '9', durationMs: 0 } });
        await eventually(() => a.call.ear.digits === '9', 'it is commanded again');
        expect(a.call.end).toBeUndefined();
        expect(b.end).toBeUndefined();
      });

      it('FreeSWITCH, killed: its next life refuses commands for the last, whose ends are told', async () => {
        await phones();
        const a = await node.answered(alice);
        const { epoch } = await node.stage.registered('media', 'fs-media-1');
        await node.server.kill();
        await node.server.start();
        await eventually(
          async () => {
            const record = await node.stage.record('media', 'fs-media-1');
            return record !== undefined && record.epoch !== epoch;
          },
          'it lives again',
          20_000,
        );
        expect(await node.told({ event: 'hangup', legUuid: a.leg })).toMatchObject({
          ...{ nodeEpoch: epoch, reconciled: true },
          summary: expect.objectContaining({ answeredAt: expect.any(Date) }),
        });
        expect(
          await node.command(a, { $case: 'hangUp', value: { cause: '' } }, { nodeEpoch: epoch }),
        ).toMatchObject({ errorCode: 'precondition_failed', errorField: 'node_epoch' });
      });
    });

    describe('of originating', () => {
      it('replies when the leg is there, before it is answered; then it does its program', async () => {
        await phones();
        bob.onCall = (call) => call.ring();
        const ask = { leg: randomUUID(), session: randomBytes(8).toString('hex') };
        const variables = { variables: { account: "a,b 'c'", 'sip_h_X-Ticket': 'T 1, 2' } };
        await node.ok(ask, {
          $case: 'originate',
          value: {
            dial: dialOf([[bob]], { callerNumber: '+49301', callerName: "O'Brien, Ann" }),
            program: program({ $case: 'play', value: { source: TONE, loops: 600 } }),
            callId: 'bound-by-this-1',
            variables,
            function: 'outbound-bot',
          },
        });
        const b = await taken(bob);
        expect(b.session.state).toBe('early');
        expect(await node.told({ event: 'created', legUuid: ask.leg })).toMatchObject({
          ...{ tenantId: TENANT, sessionId: ask.session, function: 'outbound-bot', outbound: true },
        });
        expect(header(b, 'Call-ID')).toBe('bound-by-this-1');
        expect(header(b, 'X-Callmesh-Session')).toBe(ask.session);
        expect(header(b, 'X-Ticket')).toBe('T 1, 2');
        expect(header(b, 'From')).toMatch(/^"O'Brien, Ann" <sip:\+49301@/);
        b.answer();
        await hears(b, TONE_HZ);
        expect(await node.api(`uuid_getvar ${ask.leg} account`)).toBe(variables.variables.account);
      });

      it('parks the leg when there is no program', async () => {
        await phones();
        const ask = { leg: randomUUID(), session: randomBytes(8).toString('hex') };
        await node.ok(ask, { $case: 'originate', value: originate(dialOf([[bob]])) });
        await node.told({ event: 'answered', legUuid: ask.leg });
        await node.ok(ask, { $case: 'play', value: { play: { source: TONE, loops: -1 }, both: false } });
        await hears(await taken(bob), TONE_HZ);
      });

      it('tells the end of a leg that refused', async () => {
        await phones();
        bob.onCall = (call) => call.refuse(486);
        const ask = { leg: randomUUID(), session: randomBytes(8).toString('hex') };
        await node.command(ask, { $case: 'originate', value: originate(dialOf([[bob]])) });
        expect(await node.told({ event: 'hangup', legUuid: ask.leg })).toMatchObject({
          hangupCause: 'USER_BUSY',
          summary: expect.objectContaining({ endedBy: 'far', sipStatus: 486, q850Cause: 17 }),
        });
      });
    });
  });

  const collect = (
    value: Partial<{
      maxDigits: number;
      terminators: string;
      timeoutMs: number;
      prompt: { source: string; loops: number };
    }>,
  ) =>
    ({
      $case: 'collect',
      value: {
        ...{
          prompt: undefined,
          minDigits: 0,
          maxDigits: 1,
          terminators: '',
          timeoutMs: 3_000,
          digitTimeoutMs: 0,
        },
        ...value,
      },
    }) as const;
  const originate = (dial: ReturnType<typeof dialOf>) => ({
    ...{ dial, program: undefined, callId: '', variables: undefined, function: '' },
  });
}

function size(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
}

/** What a WAV file of 16 bit samples holds: runs of loud and silent tenths of a second. */
function loudPieces(file: Buffer): string[] {
  const samples = new Int16Array(file.buffer, file.byteOffset + 44, (file.length - 44) >> 1);
  const pieces: string[] = [];
  for (let at = 0; at + 1_600 <= samples.length; at += 1_600) {
    const peak = samples
      .subarray(at, at + 1_600)
      .reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    const piece = peak > 500 ? 'loud' : 'silent';
    if (pieces.at(-1) !== piece) pieces.push(piece);
  }
  return pieces;
}
