import { eventually } from '@callmesh/local';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Center, NUMBERS, OUTSIDE, VOICES } from './center.ts';
import { describeReal } from './lab.ts';

describeReal('what answers a call by itself, on real FreeSWITCH', () => {
  let center: Center;
  beforeAll(async () => {
    center = await Center.start();
  }, 180_000);
  afterEach(() => center.clear());
  afterAll(() => center?.stop());

  describe('a number', () => {
    it('of an agent rings it, and ends with it', async () => {
      center.do((one) => one.ring(), 'alice');
      const call = await center.dial(NUMBERS.agent);
      const callee = await center.taken('alice');
      await eventually(() => call.statuses.includes(180), 'the caller hears that it rings');
      callee.answer();
      await center.talk(call, 'pbx', callee, 'alice');
      callee.hangUp();
      await center.ended(call);
    });

    it.each([
      [486, 486],
      [603, 603],
      [480, 480],
    ])('of an agent who says %i tells the caller %i', async (said, told) => {
      center.do((one) => one.refuse(said), 'alice');
      const call = await center.dial(NUMBERS.agent);
      await center.ended(call);
      expect(call.status).toBe(told);
    });

    it('of an agent stops ringing when the caller gives up', async () => {
      center.do((one) => one.ring(), 'alice');
      const call = await center.dial(NUMBERS.agent);
      const callee = await center.taken('alice');
      call.hangUp();
      expect(await center.ended(callee)).toMatchObject({ by: 'remote' });
    });

    it('of a ring group rings all at once, then the next', async () => {
      center.do((one) => one.ring(), 'alice', 'bob', 'carol');
      const call = await center.dial(NUMBERS.group);
      const [alice, bob] = await Promise.all([center.taken('alice'), center.taken('bob')]);
      expect(center.phone('carol').calls).toEqual([]);
      alice.refuse(486);
      bob.refuse(486);
      const carol = await center.taken('carol');
      carol.answer();
      await center.talk(call, 'pbx', carol, 'carol');
    });

    it('of a ring group is whoever answers first: the others stop ringing', async () => {
      center.do((one) => one.ring(), 'alice', 'bob');
      const call = await center.dial(NUMBERS.group);
      const [alice, bob] = await Promise.all([center.taken('alice'), center.taken('bob')]);
      bob.answer();
      await center.talk(call, 'pbx', bob, 'bob');
      expect(await center.ended(alice)).toMatchObject({ by: 'remote' });
      expect(center.phone('carol').calls).toEqual([]);
    });

    it('of a room brings callers together', async () => {
      const [a, b] = [await center.dial(NUMBERS.room), await center.dial(NUMBERS.room)];
      await Promise.all([center.answered(a), center.answered(b)]);
      await center.talk(a, 'pbx', b, 'pbx');
    });

    it('of an announcement plays it', async () => {
      const call = await center.dial(NUMBERS.announcement);
      await center.hears(call, 425);
    });

    it('of a mailbox asks for a message', async () => {
      const call = await center.dial(NUMBERS.mailbox);
      await center.answered(call);
      await center.hearsSpeech(call);
    });

    it('that leads outside leads to the carrier', async () => {
      const call = await center.dial(NUMBERS.outside);
      const carrier = await center.taken('carrier');
      expect(carrier.invite.uri).toContain(OUTSIDE.slice(1));
      expect(carrier.invite.headers.fields.filter(({ name }) => /^x-/i.test(name))).toEqual([]);
      await center.talk(call, 'pbx', carrier, 'carrier');
      carrier.hangUp();
      await center.ended(call);
    });

    it('that leads outside tells the caller what the carrier said', async () => {
      center.do((one) => one.refuse(486), 'carrier');
      const call = await center.dial(NUMBERS.outside);
      await center.ended(call);
      expect(call.status).toBe(486);
    });

    it('for control waits, unanswered', async () => {
      const call = await center.dial(NUMBERS.control);
      const { sessionId } = await center.leg(call);
      const { legs } = await center.platform.do('getSession', { tenantId: 'acme', sessionId });
      expect(legs).toHaveLength(1);
      expect(call.status).toBe(0);
    });

    it.each([
      ["nobody's", '999', 404],
      ['the tenant may not call', '+49190123', 403],
    ])('that is %s is refused', async (_, number, status) => {
      const call = await center.dial(number);
      await center.ended(call);
      expect(call.status).toBe(status);
    });
  });

  describe('an agent', () => {
    it('reaches a colleague by extension, who sees the extension', async () => {
      const call = await center.dials('alice', '1003');
      const carol = await center.taken('carol');
      expect(carol.invite.headers.get('from')).toContain('<sip:1001@');
      await center.talk(call, 'alice', carol, 'carol');
      call.hangUp();
      await center.ended(carol);
    });

    it('reaches the outside by the number', async () => {
      const call = await center.dials('alice', OUTSIDE);
      const carrier = await center.taken('carrier');
      // What leads to alice is what shows who calls.
      expect(carrier.invite.headers.get('from')).toContain(NUMBERS.agent);
      await center.talk(call, 'alice', carrier, 'carrier');
    });

    it('hears itself at the echo test', async () => {
      const call = await center.dials('alice', '9196');
      await center.hears(call, VOICES.alice);
    });

    it('meets others in room 3000', async () => {
      const [a, b] = [await center.dials('alice', '3000'), await center.dials('bob', '3000')];
      await center.talk(a, 'alice', b, 'bob');
    });

    it('who is busy has a mailbox that answers', async () => {
      center.do((one) => one.refuse(486), 'bob');
      const call = await center.dials('alice', '1002');
      await center.answered(call);
      await center.hearsSpeech(call);
    });

    it('listens to the own mailbox', async () => {
      const call = await center.dials('bob', '*97');
      await center.answered(call);
      await center.hearsSpeech(call);
    });
  });
});
