import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '@callmesh/local';
import { SuperviseMode } from '@callmesh/proto/command';
import { describe, expect, it } from 'vitest';
import type { PhoneCall } from '../sip/phone.ts';
import { TENANT } from './commanded.ts';
import { ALICE, BOB, CAROL, commanded, TONE, TONE_HZ } from './conversation.ts';
import { loudPieces } from './wav.ts';

function size(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
}

commanded('rooms, supervisors and recordings of a real FreeSWITCH', (t) => {
  describe('of rooms', () => {
    it('conference: members hear each other; mute, kick; rooms of tenants are apart', async () => {
      await t.phones();
      const [a, b] = [await t.node.answered(t.alice), await t.node.answered(t.bob)];
      const c = await t.node.answered(t.carol, { 'X-Callmesh-Tenant': 'globex' });
      const room = {
        $case: 'conference',
        value: { room: 'board', muted: false, moderator: false },
      } as const;
      for (const caller of [a, b, c]) await t.node.run(caller, room);
      await t.hears(a.call, BOB);
      await t.hears(b.call, ALICE);
      expect(c.call.ear.hears(ALICE)).toBeLessThan(0.1);
      expect(await t.node.told({ event: 'joined', legUuid: a.leg })).toMatchObject({ room: 'board' });
      await t.node.ok(a, { $case: 'mute', value: { on: true } });
      await t.silent(b.call);
      await t.hears(a.call, BOB);
      await t.node.ok(a, { $case: 'mute', value: { on: false } });
      await t.hears(b.call, ALICE);
      await t.node.ok(a, { $case: 'kick', value: {} });
      await t.node.told({ event: 'left', legUuid: a.leg });
      await t.silent(b.call);
      expect(a.call.end).toBeUndefined();
      await t.node.ok(a, { $case: 'play', value: { play: { source: TONE, loops: -1 }, both: false } });
      await t.hears(a.call, TONE_HZ);
      expect(await t.node.command(a, { $case: 'kick', value: {} })).toMatchObject({
        errorCode: 'precondition_failed',
      });
    });

    it('supervise: listens, whispers, barges, and changes between them', async () => {
      const { a, b } = await t.connected();
      const s = await t.node.answered(t.carol);
      const supervise = (mode: SuperviseMode) =>
        t.node.ok(s, { $case: 'supervise', value: { supervisedLegUuid: a.leg, mode } });
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
      await t.ended(s.call);
    });
  });

  describe('of recording', () => {
    it('start, pause, go on, stop: the file has what was heard, and silence in between', async () => {
      const { a } = await t.connected();
      const { recording } = await t.node.ok(a, {
        $case: 'startRecording',
        value: { stereo: true, limitS: 0 },
      });
      expect(recording).toMatch(
        new RegExp(`^${TENANT}/\\d{4}-\\d\\d-\\d\\d/${a.session}-${a.leg}-[\\d.]+\\.wav$`),
      );
      await t.node.told({ event: 'recording', legUuid: a.leg, recording });
      const path = join(t.node.recordings, recording);
      const grown = (more: number) => {
        const from = size(path);
        return eventually(() => size(path) >= from + more, 'the file grows', 15_000);
      };
      await grown(16_000);
      await t.node.ok(a, { $case: 'pauseRecording', value: { on: true } });
      await grown(32_000);
      await t.node.ok(a, { $case: 'pauseRecording', value: { on: false } });
      await grown(16_000);
      await t.node.ok(a, { $case: 'stopRecording', value: {} });
      const recorded = await t.node.told({ event: 'recorded', legUuid: a.leg, recording });
      expect(recorded.recordingMs).toBeGreaterThan(1_500);
      const pieces = loudPieces(readFileSync(path));
      expect(pieces).toEqual(['loud', 'silent', 'loud']);
      expect(await t.node.command(a, { $case: 'stopRecording', value: {} })).toMatchObject({
        errorCode: 'precondition_failed',
      });
      const again = await t.node.ok(a, { $case: 'startRecording', value: { stereo: false, limitS: 1 } });
      expect(again.recording).not.toBe(recording);
      await t.node.told({ event: 'recorded', legUuid: a.leg, recording: again.recording });
    });
  });
});
