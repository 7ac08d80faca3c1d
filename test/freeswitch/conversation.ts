import { eventually, freeswitchBinary } from '@callmesh/local';
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest';
import type { Phone, PhoneCall } from '../sip/phone.ts';
import { type Caller, CommandedNode, dialOf } from './commanded.ts';

/** Hertz of the phones' voices, and of what is played to them. */
export const ALICE = 700;
export const BOB = 1100;
export const CAROL = 1500;
export const TONE_HZ = 440;
export const TONE = `tone_stream://%(1000,0,${TONE_HZ})`;

/** Three phones at a commanded node, and what can be heard there. */
export class Conversation {
  node!: CommandedNode;
  alice!: Phone;
  bob!: Phone;
  carol!: Phone;

  async phones(): Promise<void> {
    this.alice = await this.node.phone('alice', ALICE);
    this.bob = await this.node.phone('bob', BOB);
    this.carol = await this.node.phone('carol', CAROL);
  }

  /** Alice calls in and is connected to bob by a program. */
  async connected(more: Parameters<typeof dialOf>[1] = {}): Promise<{ a: Caller; b: PhoneCall }> {
    await this.phones();
    const a = await this.node.caller(this.alice);
    await this.node.run(a, { $case: 'dial', value: dialOf([[this.bob]], more) });
    const b = await this.taken(this.bob);
    await this.hears(a.call, BOB);
    await this.hears(b, ALICE);
    return { a, b };
  }

  hears(call: PhoneCall, hertz: number): Promise<boolean> {
    return eventually(() => call.ear.hears(hertz) > 0.8, `${hertz} Hz is heard`);
  }

  /** What a held far end hears: a short tone now and then. */
  music(call: PhoneCall): Promise<boolean> {
    return eventually(() => call.ear.hears(TONE_HZ) > 0.2, 'music is heard');
  }

  silent(call: PhoneCall): Promise<boolean> {
    return eventually(() => call.ear.loudness < 100, 'nothing is heard');
  }

  taken(phone: Phone, nth = 0): Promise<PhoneCall> {
    return eventually(() => phone.calls[nth], `${phone.agent.user} is called`);
  }

  ended(call: PhoneCall): Promise<NonNullable<PhoneCall['end']>> {
    return eventually(() => call.end, 'the call ended');
  }

  /** FreeSWITCH listens for digits; what was pressed before is flushed. */
  asked({ leg }: Caller): Promise<boolean> {
    return eventually(
      async () => (await this.node.api(`uuid_getvar ${leg} current_application`)) === 'play_and_get_digits',
      'digits are asked for',
    );
  }
}

export function header(call: PhoneCall, name: string): string {
  return call.invite.headers.get(name) ?? '';
}

/** Rules of a commanded node: what is commanded is seen at the far end, by SIP or by ear. */
export function commanded(title: string, rules: (t: Conversation) => void): void {
  if (!freeswitchBinary()) {
    describe(title, () => it.skip('skipped: no freeswitch on PATH or in FREESWITCH_HOME', () => {}));
    return;
  }
  describe(title, () => {
    const t = new Conversation();
    beforeAll(async () => {
      t.node = await CommandedNode.start();
    }, 120_000);
    afterAll(() => t.node?.stop());
    afterEach(() => t.node.hangUpAll());
    rules(t);
  });
}
