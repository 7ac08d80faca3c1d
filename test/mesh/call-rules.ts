import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CallStage, GLOBEX_TOKEN, NUMBERS, type ServerKind, TONE, VOICE } from './call-stage.ts';
import { faultRules } from './fault-rules.ts';
import { Platform } from './platform.ts';
import { recordRules } from './record-rules.ts';

/** What the platform does with calls, whoever carries the media. */
export function callRules(title: string, server: ServerKind): void {
  describe(title, () => {
    let stage: CallStage;
    beforeAll(async () => {
      stage = await CallStage.start(server);
    }, 180_000);
    afterAll(() => stage?.stop());
    afterEach(() => stage.clear());

    it('answers a number by what it is for, without anybody commanding it', async () => {
      const call = await stage.dial(NUMBERS.announcement);
      await stage.answered(call);
      await stage.hears(call, 425);
      const leg = await stage.created(call);
      expect(leg).toMatchObject({ tenantId: 'acme', callee: NUMBERS.announcement });
      call.hangUp();
      const story = await stage.wholeStory(leg);
      expect(story.filter((event) => event !== 'ringing')).toEqual(['created', 'answered', 'hangup']);
    });

    it("refuses a number that is nobody's", async () => {
      const call = await stage.dial('999');
      await stage.ended(call);
      expect(call.status).toBe(404);
    });

    it('brings a call to an extension of the PBX, and both hear each other', async () => {
      const { call, callee, leg } = await stage.connected();
      expect(callee.invite.uri).toMatch(/^sip:200@/);
      // Nothing of the mesh leaves it.
      expect(callee.invite.headers.fields.filter(({ name }) => /^x-callmesh/i.test(name))).toEqual([]);
      await stage.hears(call, VOICE);
      await stage.hears(callee, VOICE);
      callee.hangUp();
      await stage.ended(call);
      expect(await stage.wholeStory(leg)).toContain('bridged');
      const { platform } = stage;
      const other = await platform.told({ event: 'created', sessionId: leg.sessionId, outbound: true });
      expect(await stage.wholeStory(other)).toContain('answered');
    });

    it('lets a call for control wait, unanswered, until it is commanded', async () => {
      const { platform } = stage;
      const call = await stage.dial(NUMBERS.control);
      const leg = await stage.created(call);
      const session = await platform.do('getSession', { tenantId: 'acme', sessionId: leg.sessionId });
      expect(session.legs.map(({ legUuid }) => legUuid)).toEqual([leg.legUuid]);
      expect(session.nodeId).toBe(leg.nodeId);
      expect(call.status).toBe(0);
      expect((await platform.do('answer', { leg: platform.leg(leg) })).nodeId).toBe(leg.nodeId);
      await stage.answered(call);
      await platform.do('play', { leg: platform.leg(leg), play: { source: TONE, loops: 0 } });
      await stage.hears(call, 425);
      await platform.do('stopPlay', { leg: platform.leg(leg) });
      await stage.hearsNothing(call);
      await platform.do('hangUp', { leg: platform.leg(leg) });
      expect((await stage.ended(call)).by).toBe('remote');
      expect(await stage.wholeStory(leg)).toContain('answered');
    });

    it('calls somebody into a session, on its node, and connects the two', async () => {
      const { platform } = stage;
      const { call, leg } = await stage.controlled();
      const placed = await platform.do('originate', {
        ...{ tenantId: 'acme', sessionId: leg.sessionId },
        destination: { target: { $case: 'trunk', value: 'acme-pbx/201' } },
      });
      expect(placed.nodeId).toBe(leg.nodeId);
      const callee = await stage.taken();
      await platform.told({ event: 'answered', legUuid: placed.leg!.legUuid });
      await platform.do('bridge', { leg: platform.leg(leg), otherLegUuid: placed.leg!.legUuid });
      await platform.told({ event: 'bridged', sessionId: leg.sessionId });
      await stage.hears(call, VOICE);
      await stage.hears(callee, VOICE);
      call.hangUp();
      await stage.ended(callee);
      await stage.wholeStory(leg);
    });

    it('transfers a caller to somebody else', async () => {
      const { platform } = stage;
      const { call, leg } = await stage.controlled();
      const destination = { target: { $case: 'trunk', value: 'acme-pbx/202' } } as const;
      await platform.do('transferBlind', { leg: platform.leg(leg), destination });
      const callee = await stage.taken();
      expect(callee.invite.uri).toMatch(/^sip:202@/);
      await platform.told({ event: 'bridged', sessionId: leg.sessionId });
      await stage.hears(call, VOICE);
      callee.hangUp();
      await stage.ended(call);
    });

    it('brings two callers into a room of their tenant, on one node', async () => {
      const { platform } = stage;
      const [a, b] = [await stage.dial(NUMBERS.room), await stage.dial(NUMBERS.room)];
      await Promise.all([stage.answered(a), stage.answered(b)]);
      const [first, second] = [await stage.created(a), await stage.created(b)];
      expect(second.nodeId).toBe(first.nodeId);
      for (const { legUuid } of [first, second])
        expect(await platform.told({ event: 'joined', legUuid })).toMatchObject({ room: 'board' });
      await stage.hears(a, VOICE);
      await stage.hears(b, VOICE);
      for (const call of [a, b]) call.hangUp();
      for (const { legUuid } of [first, second]) await platform.told({ event: 'left', legUuid });
    });

    it('does a command once, however often it is asked under one key, by whichever replica', async () => {
      const { platform, pbx } = stage;
      const other = new Platform(stage.world.mesh, 'acme', { instance: 'call-control-2' });
      const order = {
        ...{ idempotencyKey: 'once', tenantId: 'acme' },
        destination: { target: { $case: 'trunk', value: 'acme-pbx/203' } as const },
      };
      const first = await platform.do('originate', order);
      const callee = await stage.taken();
      const again = await other.do('originate', order);
      expect(again).toMatchObject({ repeated: true, leg: first.leg! });
      await platform.told({ event: 'answered', legUuid: first.leg!.legUuid });
      expect(pbx.calls.length).toBe(1);
      await other.do('hangUp', { leg: first.leg! });
      await stage.ended(callee);
      other.close();
    });

    it('refuses whoever acts for another tenant, and whoever claims its session', async () => {
      const { platform } = stage;
      const { call, leg } = await stage.controlled();
      const stranger = new Platform(stage.world.mesh, 'globex', { token: GLOBEX_TOKEN });
      const forbidden = expect.objectContaining({ code: 'tenant_forbidden' });
      await expect(stranger.do('hangUp', { leg: platform.leg(leg) })).rejects.toEqual(forbidden);
      const claimed = { ...platform.leg(leg), tenantId: 'globex' };
      await expect(stranger.do('hangUp', { leg: claimed })).rejects.toEqual(forbidden);
      expect(call.end).toBeUndefined();
      stranger.close();
    });

    recordRules(() => stage);
    faultRules(() => stage);
  });
}
