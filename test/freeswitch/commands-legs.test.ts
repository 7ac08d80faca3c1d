import { eventually } from '@callmesh/local';
import { describe, expect, it } from 'vitest';
import { dialOf, TENANT } from './commanded.ts';
import { ALICE, BOB, CAROL, commanded, header, TONE, TONE_HZ } from './conversation.ts';

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

commanded('commands to a leg of a real FreeSWITCH', (t) => {
  describe('to a leg', () => {
    it('answer: the caller gets 200, and not before', async () => {
      await t.phones();
      const a = await t.node.caller(t.alice);
      expect(a.call.status).toBe(0);
      await t.node.ok(a, { $case: 'answer', value: {} });
      await eventually(() => a.call.status === 200, 'answered');
      expect(await t.node.told({ event: 'answered', legUuid: a.leg })).toMatchObject({
        tenantId: TENANT,
        sessionId: a.session,
      });
    });

    it.each([
      ['USER_BUSY', 486],
      ['NO_ANSWER', 480],
      ['UNALLOCATED_NUMBER', 404],
    ])('hang up: an unanswered caller gets %s as %i', async (cause, status) => {
      await t.phones();
      const a = await t.node.caller(t.alice);
      await t.node.ok(a, { $case: 'hangUp', value: { cause } });
      await t.ended(a.call);
      expect(a.call.status).toBe(status);
      expect(await t.node.told({ event: 'hangup', legUuid: a.leg })).toMatchObject({ hangupCause: cause });
    });

    it('hang up: an answered caller gets BYE', async () => {
      await t.phones();
      const a = await t.node.answered(t.alice);
      await t.node.ok(a, { $case: 'hangUp', value: { cause: '' } });
      expect(await t.ended(a.call)).toMatchObject({ by: 'remote' });
    });

    it('play: the tone is heard, until it is stopped', async () => {
      await t.phones();
      const a = await t.node.answered(t.alice);
      await t.node.ok(a, { $case: 'play', value: { play: { source: TONE, loops: -1 }, both: false } });
      await t.hears(a.call, TONE_HZ);
      await t.node.ok(a, { $case: 'stopPlay', value: {} });
      await t.silent(a.call);
    });

    it('play: another ends what plays', async () => {
      await t.phones();
      const a = await t.node.answered(t.alice);
      await t.node.ok(a, { $case: 'play', value: { play: { source: TONE, loops: -1 }, both: false } });
      await t.hears(a.call, TONE_HZ);
      const other = 'tone_stream://%(1000,0,900)';
      await t.node.ok(a, { $case: 'play', value: { play: { source: other, loops: -1 }, both: false } });
      await t.hears(a.call, 900);
    });

    it('play: over a connection one hears it, or both, and then they hear each other again', async () => {
      const { a, b } = await t.connected();
      await t.node.ok(a, { $case: 'play', value: { play: { source: TONE, loops: -1 }, both: false } });
      await t.hears(a.call, TONE_HZ);
      await t.silent(b);
      await t.node.ok(a, { $case: 'stopPlay', value: {} });
      await t.hears(a.call, BOB);
      await t.hears(b, ALICE);
      await t.node.ok(a, { $case: 'play', value: { play: { source: TONE, loops: 2 }, both: true } });
      await t.hears(a.call, TONE_HZ);
      await t.hears(b, TONE_HZ);
      await t.hears(a.call, BOB);
      await t.hears(b, ALICE);
    });

    it('say: a voice is heard', async () => {
      await t.phones();
      const a = await t.node.answered(t.alice);
      const text = "It's five o'clock, Mr. O'Brien; press 1, 2 or 3.";
      await t.node.ok(a, { $case: 'say', value: { text, voice: '' } });
      await eventually(() => a.call.ear.loudness > 300, 'somebody speaks');
      await t.silent(a.call);
    });

    it('send dtmf: the far end gets the digits (RFC 4733)', async () => {
      const { a, b } = await t.connected();
      await t.node.ok(a, { $case: 'sendDtmf', value: { digits: '12#A', durationMs: 80 } });
      await eventually(() => a.call.ear.digits === '12#A', 'the digits came');
      expect(b.ear.digits).toBe('');
    });

    it('collect: replies with the digits and what ended them, and the connection goes on', async () => {
      const { a, b } = await t.connected();
      const number = t.node.ok(
        a,
        collect({ maxDigits: 6, terminators: '#', prompt: { source: TONE, loops: 0 } }),
      );
      await t.hears(a.call, TONE_HZ);
      for (const digit of '4711#') {
        a.call.press(digit);
        await t.node.told({ event: 'dtmf', legUuid: a.leg, digit });
      }
      expect(await number).toMatchObject({ digits: '4711', terminator: '#' });
      await t.hears(a.call, BOB);
      await t.hears(b, ALICE);
    });

    it('collect: takes as many as were asked for, and what there is when nobody goes on', async () => {
      await t.phones();
      const a = await t.node.answered(t.alice);
      const two = t.node.ok(a, collect({ maxDigits: 2 }));
      await t.asked(a);
      a.call.press('1');
      await t.node.told({ event: 'dtmf', legUuid: a.leg, digit: '1' });
      a.call.press('2');
      expect(await two).toMatchObject({ digits: '12', terminator: '' });
      expect(await t.node.ok(a, collect({ maxDigits: 2, timeoutMs: 1000 }))).toMatchObject({ digits: '' });
    });

    it('collect: fails when the leg ends', async () => {
      await t.phones();
      const a = await t.node.answered(t.alice);
      const two = t.node.command(a, collect({ maxDigits: 2 }));
      await t.asked(a);
      a.call.hangUp();
      expect(await two).toMatchObject({ errorCode: 'precondition_failed' });
    });

    it('set variables: the leg has them, quotes and all, and headers of ours reach a callee', async () => {
      await t.phones();
      const a = await t.node.answered(t.alice);
      const variables = { account: `O'Brien, "x"; $5 = {a|b} ^c [d]`, 'sip_h_X-Ticket': 'T-1;a=b' };
      await t.node.ok(a, { $case: 'setVariables', value: { variables } });
      expect(await t.node.api(`uuid_getvar ${a.leg} account`)).toBe(variables.account);
      await t.node.run(a, { $case: 'dial', value: dialOf([[t.bob]]) });
      expect(header(await t.taken(t.bob), 'X-Ticket')).toBe('T-1;a=b');
    });
  });

  describe('of holding', () => {
    it('hold: the far end is sent to only, hears music, and is not heard; unhold: as before', async () => {
      const { a, b } = await t.connected();
      await t.node.ok(a, { $case: 'hold', value: { on: true } });
      await eventually(() => a.call.offered === 'sendonly', 'a re-INVITE says sendonly');
      await t.music(a.call);
      await t.silent(b);
      expect(b.received).toEqual([]);
      await t.node.told({ event: 'held', legUuid: a.leg });
      await t.node.ok(a, { $case: 'hold', value: { on: true } });
      await t.node.ok(a, { $case: 'hold', value: { on: false } });
      await eventually(() => a.call.offered === 'sendrecv', 'a re-INVITE says sendrecv');
      await t.hears(a.call, BOB);
      await t.hears(b, ALICE);
      await t.node.told({ event: 'unheld', legUuid: a.leg });
      expect(a.call.received.filter(({ method }) => method === 'INVITE')).toHaveLength(2);
      const story = t.node.story(a.leg).map(({ event }) => event);
      expect(story.filter((event) => event === 'held' || event === 'unheld')).toEqual(['held', 'unheld']);
    });

    it('a held caller ends with whom it was connected to', async () => {
      const { a, b } = await t.connected();
      await t.node.ok(a, { $case: 'hold', value: { on: true } });
      await t.music(a.call);
      b.hangUp();
      expect(await t.ended(a.call)).toMatchObject({ by: 'remote' });
    });

    it('a caller that waits alone can be held too, and then does what it is told', async () => {
      await t.phones();
      const a = await t.node.answered(t.alice);
      await t.node.ok(a, { $case: 'hold', value: { on: true } });
      await t.music(a.call);
      expect(a.call.offered).toBe('sendonly');
      await t.node.run(a, { $case: 'echo', value: {} });
      await t.hears(a.call, ALICE);
      expect(a.call.offered).toBe('sendrecv');
    });

    it('is told when the far end holds by itself', async () => {
      const { a, b } = await t.connected();
      const bLeg = (await t.node.told({ event: 'bridged', legUuid: a.leg })).otherLegUuid;
      expect((await b.hold(true)).status).toBe(200);
      await t.node.told({ event: 'held', legUuid: bLeg });
      expect(await t.node.command({ ...a, leg: bLeg }, { $case: 'hold', value: { on: true } })).toMatchObject(
        {
          errorCode: 'precondition_failed',
        },
      );
      expect((await b.hold(false)).status).toBe(200);
      await t.node.told({ event: 'unheld', legUuid: bLeg });
      await t.hears(a.call, BOB);
    });
  });

  describe('of connecting', () => {
    it('bridge: two callers hear each other, and the end of one is the end of both', async () => {
      await t.phones();
      const [a, b] = [await t.node.answered(t.alice), await t.node.answered(t.bob)];
      await t.node.ok(a, { $case: 'bridge', value: { otherLegUuid: b.leg } });
      await t.hears(a.call, BOB);
      await t.hears(b.call, ALICE);
      for (const [leg, otherLegUuid] of [
        [a.leg, b.leg],
        [b.leg, a.leg],
      ])
        await t.node.told({ event: 'bridged', legUuid: leg!, otherLegUuid: otherLegUuid! });
      b.call.hangUp();
      await t.ended(a.call);
    });

    it('attended transfer: the held caller is connected to the third, and who stood between is hung up', async () => {
      const { a, b } = await t.connected();
      const c = await t.node.answered(t.carol);
      await t.node.ok(a, { $case: 'hold', value: { on: true } });
      await t.music(a.call);
      await t.node.ok(a, { $case: 'bridge', value: { otherLegUuid: c.leg } });
      await t.hears(a.call, CAROL);
      await t.hears(c.call, ALICE);
      expect(a.call.offered).toBe('sendrecv');
      await t.ended(b);
      a.call.hangUp();
      await t.ended(c.call);
      expect((await t.node.told({ event: 'hangup', legUuid: a.leg })).summary).toMatchObject({
        transferred: true,
        lastBridgeUuid: c.leg,
        endedBy: 'far',
      });
    });

    it('blind transfer: the caller is taken out and goes on to another; the first is hung up', async () => {
      const { a, b } = await t.connected();
      await t.node.run(a, { $case: 'dial', value: dialOf([[t.carol]]) });
      await t.ended(b);
      const c = await t.taken(t.carol);
      await t.hears(a.call, CAROL);
      const bLeg = (await t.node.told({ event: 'bridged', legUuid: a.leg })).otherLegUuid;
      expect((await t.node.told({ event: 'hangup', legUuid: bLeg })).summary).toMatchObject({
        transferred: false,
        endedBy: 'near',
      });
      c.hangUp();
      await t.ended(a.call);
      expect((await t.node.told({ event: 'hangup', legUuid: a.leg })).summary).toMatchObject({
        transferred: true,
      });
    });

    it('park after: the caller stays, and can be commanded on', async () => {
      const { a, b } = await t.connected({ parkAfter: true });
      b.hangUp();
      await t.node.told({ event: 'unbridged', legUuid: a.leg });
      await t.node.ok(a, { $case: 'play', value: { play: { source: TONE, loops: -1 }, both: false } });
      await t.hears(a.call, TONE_HZ);
    });
  });
});
