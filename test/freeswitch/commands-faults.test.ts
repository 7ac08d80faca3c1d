import { randomUUID } from 'node:crypto';
import { eventually } from '@callmesh/local';
import { describe, expect, it } from 'vitest';
import { program } from './commanded.ts';
import { ALICE, BOB, commanded } from './conversation.ts';

commanded('commands and events of a real FreeSWITCH', (t) => {
  describe('while things die', () => {
    const inOrder = (leg: string) => {
      const story = t.node.story(leg);
      const names = story.map(({ event }) => event);
      expect(new Set(story.map(({ event, sequence }) => `${event} ${sequence}`)).size).toBe(story.length);
      for (const once of ['created', 'answered', 'hangup'])
        expect(names.filter((name) => name === once).length).toBeLessThanOrEqual(1);
      // FreeSWITCH calls it early media when it answers.
      return names.filter((name) => name !== 'ringing');
    };

    it('the agent: the call goes on, control returns, nothing is done twice, and every end is told', async () => {
      const { a, b } = await t.connected();
      const c = await t.node.answered(t.carol);
      const once = { commandId: randomUUID() };
      const digits = { $case: 'sendDtmf', value: { digits: '7', durationMs: 0 } } as const;
      await t.node.ok(a, digits, once);
      await eventually(() => a.call.ear.digits === '7', 'the digit came');
      await t.node.agent.kill();
      expect(await t.node.command(a, digits).catch((error) => error)).toMatchObject({ code: 'unavailable' });
      c.call.hangUp();
      await t.hears(a.call, BOB);
      await t.node.agent.start();
      await t.node.up();
      expect(await t.node.ok(a, digits, once)).toMatchObject({ repeated: true });
      const first = { program: program({ $case: 'echo', value: {} }), onlyFirst: true };
      await t.node.ok(a, { $case: 'run', value: first });
      expect(await t.node.told({ event: 'hangup', legUuid: c.leg })).toMatchObject({ reconciled: true });
      await t.node.ok(a, { $case: 'hold', value: { on: true } });
      await t.music(a.call);
      await t.node.ok(a, { $case: 'hold', value: { on: false } });
      await t.hears(a.call, BOB);
      await t.hears(b, ALICE);
      expect(a.call.ear.digits).toBe('7');
      b.hangUp();
      await t.node.told({ event: 'hangup', legUuid: a.leg });
      expect(inOrder(a.leg)).toEqual([
        ...['created', 'answered', 'bridged', 'held', 'unheld', 'unbridged', 'hangup'],
      ]);
      expect(inOrder(c.leg)).toEqual(['created', 'answered', 'hangup']);
    });

    it('NATS: the call goes on, a command fails at once, control returns, and no event is lost or told twice', async () => {
      const { a, b } = await t.connected();
      await t.node.stage.natsServer.process.kill();
      await eventually(() => !t.node.stage.nats.connected, 'NATS is away');
      expect(await t.node.command(a, { $case: 'answer', value: {} }).catch((error) => error)).toMatchObject({
        code: 'unavailable',
      });
      a.call.press('5');
      await eventually(() => b.ear.digits === '5', 'the digit passed');
      await t.hears(a.call, BOB);
      await t.node.stage.natsServer.process.start();
      await eventually(() => t.node.stage.nats.connected, 'NATS is back', 15_000);
      await t.node.told({ event: 'dtmf', legUuid: a.leg, digit: '5' });
      await t.node.commandable(a);
      await t.node.ok(a, { $case: 'hangUp', value: { cause: '' } });
      await t.node.told({ event: 'hangup', legUuid: a.leg });
      expect(inOrder(a.leg)).toEqual([...['created', 'answered', 'bridged', 'dtmf', 'unbridged', 'hangup']]);
    });

    it('FreeSWITCH, frozen: a command fails within its deadline, and is not done when it goes on', async () => {
      const { a, b } = await t.connected();
      t.node.server.freeze();
      try {
        const begun = Date.now();
        const expiresAt = new Date(begun + 800);
        expect(
          await t.node.command(a, { $case: 'hangUp', value: { cause: '' } }, { expiresAt }),
        ).toMatchObject({
          errorCode: 'unavailable',
        });
        expect(Date.now() - begun).toBeLessThan(1_500);
      } finally {
        t.node.server.thaw();
      }
      await t.hears(a.call, BOB);
      await t.node.ok(a, { $case: 'sendDtmf', value: { digits: '9', durationMs: 0 } });
      await eventually(() => a.call.ear.digits === '9', 'it is commanded again');
      expect(a.call.end).toBeUndefined();
      expect(b.end).toBeUndefined();
    });

    it('FreeSWITCH, killed: its next life refuses commands for the last, whose ends are told', async () => {
      await t.phones();
      const a = await t.node.answered(t.alice);
      const { epoch } = await t.node.stage.registered('media', 'fs-media-1');
      await t.node.server.kill();
      await t.node.server.start();
      await eventually(
        async () => {
          const record = await t.node.stage.record('media', 'fs-media-1');
          return record !== undefined && record.epoch !== epoch;
        },
        'it lives again',
        20_000,
      );
      expect(await t.node.told({ event: 'hangup', legUuid: a.leg })).toMatchObject({
        ...{ nodeEpoch: epoch, reconciled: true },
        summary: expect.objectContaining({ answeredAt: expect.any(Date) }),
      });
      expect(
        await t.node.command(a, { $case: 'hangUp', value: { cause: '' } }, { nodeEpoch: epoch }),
      ).toMatchObject({ errorCode: 'precondition_failed', errorField: 'node_epoch' });
    });
  });
});
