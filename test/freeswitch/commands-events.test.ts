import { eventually } from '@callmesh/local';
import { describe, expect, it } from 'vitest';
import { dialOf, hop, TENANT } from './commanded.ts';
import { commanded } from './conversation.ts';

commanded('what is told of the legs of a real FreeSWITCH', (t) => {
  const names = (leg: string) => t.node.story(leg).map(({ event }) => event);

  describe('a leg', () => {
    it('is told of once and in order, from its creation to its end, each event by its number', async () => {
      const { a, b } = await t.connected();
      const bLeg = (await t.node.told({ event: 'bridged', legUuid: a.leg })).otherLegUuid;
      b.hangUp();
      await t.node.told({ event: 'hangup', legUuid: a.leg });
      await t.node.told({ event: 'hangup', legUuid: bLeg });
      expect(names(bLeg).filter((name) => name !== 'ringing')).toEqual([
        ...['created', 'answered', 'bridged', 'hangup'],
      ]);
      expect(names(a.leg).filter((name) => name !== 'ringing')).toEqual([
        ...['created', 'answered', 'bridged', 'unbridged', 'hangup'],
      ]);
      for (const leg of [a.leg, bLeg]) {
        const story = t.node.story(leg);
        expect(story.map(({ ordinal }) => ordinal)).toEqual(story.map((_, index) => index + 1));
        for (const event of story)
          expect(event).toMatchObject({ tenantId: TENANT, sessionId: a.session, reconciled: false });
      }
    });

    it('says of each digit how it came, and how long it was', async () => {
      const { a } = await t.connected();
      a.call.press('5', 160);
      expect(await t.node.told({ event: 'dtmf', legUuid: a.leg, digit: '5' })).toMatchObject({
        ...{ digitMs: 160, digitSource: 'rtp' },
      });
      expect((await a.call.info('#', 250)).status).toBe(200);
      expect(await t.node.told({ event: 'dtmf', legUuid: a.leg, digit: '#' })).toMatchObject({
        ...{ digitMs: 250, digitSource: 'info' },
      });
    });
  });

  describe('the summary of a leg', () => {
    const summary = async (leg: string) => (await t.node.told({ event: 'hangup', legUuid: leg })).summary!;
    const ms = (date: Date | undefined) => date?.getTime() ?? 0;

    it('of an answered call: its times in order, codecs, quality, and who ended it', async () => {
      const { a, b } = await t.connected();
      const bLeg = (await t.node.told({ event: 'bridged', legUuid: a.leg })).otherLegUuid;
      b.hangUp();
      const [near, far] = [await summary(a.leg), await summary(bLeg)];
      expect(near).toMatchObject({ endedBy: 'near', sipStatus: 200, q850Cause: 16, lastBridgeUuid: bLeg });
      expect(far).toMatchObject({ endedBy: 'far', sipStatus: 200, q850Cause: 16, lastBridgeUuid: a.leg });
      for (const one of [near, far]) {
        expect(one).toMatchObject({ readCodec: 'PCMA', writeCodec: 'PCMA', transferred: false });
        expect(one.farAddress).toBe('127.0.0.1');
        const times = [one.createdAt, one.answeredAt, one.bridgedAt, one.endedAt].map(ms);
        expect(times.every((at) => at > 0)).toBe(true);
        expect(times).toEqual([...times].sort((x, y) => x - y));
        expect(one.quality!.mos).toBeGreaterThan(3);
        expect(one.quality!.packets).toBeGreaterThan(10);
        expect(one.quality!.packetsSent).toBeGreaterThan(10);
      }
    });

    it('of a caller that gave up: never answered, ended by the far end, no quality', async () => {
      await t.phones();
      t.bob.onCall = (call) => call.ring();
      const a = await t.node.caller(t.alice);
      await t.node.run(a, { $case: 'dial', value: dialOf([[t.bob]]) });
      const b = await t.taken(t.bob);
      await eventually(() => a.call.statuses.includes(180), 'it rings');
      a.call.hangUp();
      await t.ended(b);
      const leg = await summary(a.leg);
      expect(leg).toMatchObject({ endedBy: 'far', q850Cause: 16, answeredAt: undefined, quality: undefined });
      expect(ms(leg.progressAt)).toBeGreaterThan(0);
      const out = await t.node.told({ event: 'created', sessionId: a.session, outbound: true });
      expect(await summary(out.legUuid)).toMatchObject({ endedBy: 'near', answeredAt: undefined });
    });

    it.each([
      [486, 'USER_BUSY', 17],
      [603, 'CALL_REJECTED', 21],
      [404, 'UNALLOCATED_NUMBER', 1],
      [503, 'NORMAL_TEMPORARY_FAILURE', 41],
    ])('of a called leg that answered %i: %s', async (status, cause, q850Cause) => {
      await t.phones();
      t.bob.onCall = (call) => call.refuse(status);
      const a = await t.node.caller(t.alice);
      await t.node.run(a, { $case: 'dial', value: dialOf([[t.bob]]) });
      const out = await t.node.told({ event: 'created', sessionId: a.session, outbound: true });
      const hangup = await t.node.told({ event: 'hangup', legUuid: out.legUuid });
      expect(hangup.hangupCause).toBe(cause);
      expect(hangup.summary).toMatchObject({
        endedBy: 'far',
        sipStatus: status,
        q850Cause,
        quality: undefined,
      });
      expect((await summary(a.leg)).endedBy).toBe('near');
    });

    it('of a called leg that nobody answers for: by nobody, without a status of its own', async () => {
      await t.phones();
      const a = await t.node.caller(t.alice);
      const leg = { hops: [hop('sip:x@127.0.0.1:9')], agentId: '', trunkId: '' };
      await t.node.run(a, { $case: 'dial', value: dialOf([], { groups: [{ legs: [leg], timeoutS: 5 }] }) });
      const out = await t.node.told({ event: 'created', sessionId: a.session, outbound: true });
      expect(await summary(out.legUuid)).toMatchObject({ answeredAt: undefined, quality: undefined });
    });
  });
});
