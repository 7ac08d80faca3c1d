import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Center, NUMBERS, OUTSIDE } from './center.ts';
import { describeReal } from './lab.ts';

describeReal('calls through the whole platform, on real FreeSWITCH', () => {
  let center: Center;
  beforeAll(async () => {
    center = await Center.start();
  }, 180_000);
  afterEach(() => center.clear());
  afterAll(() => center?.stop());

  it('go from the PBX through door, media node and tandem to the carrier, and both hear each other', async () => {
    const call = await center.dial(NUMBERS.outside);
    const far = await center.taken('carrier');
    expect(far.invite.uri).toContain(OUTSIDE);
    expect(far.invite.headers.fields.filter(({ name }) => /^x-callmesh/i.test(name))).toEqual([]);
    await center.answered(call);
    await center.talk(call, 'pbx', far, 'carrier');
    far.hangUp();
    await center.ended(call);
  });

  it('go from the carrier through tandem, media node and door to an extension of the PBX', async () => {
    const call = await center.comesIn(NUMBERS.extension);
    const desk = await center.taken('pbx');
    expect(desk.invite.uri).toMatch(/^sip:200@/);
    await center.answered(call);
    await center.talk(call, 'carrier', desk, 'pbx');
    desk.hangUp();
    await center.ended(call);
  });

  it('go from the carrier to an agent, by any number that is the agent’s', async () => {
    const call = await center.comesIn(NUMBERS.agent);
    const alice = await center.taken('alice');
    await center.answered(call);
    await center.talk(call, 'carrier', alice, 'alice');
    call.hangUp();
    await center.ended(alice);
  });

  describe('of one conversation', () => {
    it('share a node, also the third that comes later, while others of the tenant spread over all', async () => {
      const { platform } = center;
      const customer = await center.dial(NUMBERS.control);
      const leg = await platform.told({ event: 'created', callId: customer.session.dialog.callId });
      await platform.do('answer', { leg: platform.leg(leg) });
      const place = async (who: 'alice' | 'bob') => {
        const destination = { target: { $case: 'agent', value: who } } as const;
        const placed = await platform.do('originate', {
          tenantId: 'acme',
          sessionId: leg.sessionId,
          destination,
        });
        await platform.told({ event: 'answered', legUuid: placed.leg!.legUuid });
        return placed;
      };
      const agent = await place('alice');
      // Others of the tenant, meanwhile.
      const others = await Promise.all(Array.from({ length: 6 }, () => center.dial(NUMBERS.control)));
      const nodes = await Promise.all(
        others.map(async (other) => {
          const created = await platform.told({ event: 'created', callId: other.session.dialog.callId });
          return created.nodeId;
        }),
      );
      expect(new Set(nodes)).toEqual(new Set(['fs-red-1', 'fs-red-2']));
      const consulted = await place('bob');
      expect([agent.nodeId, consulted.nodeId]).toEqual([leg.nodeId, leg.nodeId]);
      const { legs } = await platform.do('getSession', { tenantId: 'acme', sessionId: leg.sessionId });
      const media = legs.filter(({ role }) => role === 'NODE_ROLE_MEDIA');
      expect(media.map(({ nodeId }) => nodeId)).toEqual([leg.nodeId, leg.nodeId, leg.nodeId]);
    });
  });
});
