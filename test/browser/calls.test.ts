import { eventually } from '@callmesh/local';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { PhoneCall } from '../sip/phone.ts';
import { BrowserStage, VOICES } from './stage.ts';
import type { WebAgent } from './web-agent.ts';

/** Packets of half a second. */
const SOME = 25;

describe('agents in real browsers', () => {
  let stage: BrowserStage;
  let alice: WebAgent;
  let bob: WebAgent;

  beforeAll(async () => {
    stage = await BrowserStage.start();
    [alice, bob] = await Promise.all([stage.agent('alice'), stage.agent('bob')]);
  }, 180_000);
  afterEach(async () => {
    await Promise.all([alice.quiet(), bob.quiet()]);
    await stage.clear();
  });
  afterAll(() => stage?.stop());

  const hears = (call: PhoneCall, hertz: number) =>
    eventually(() => call.ear.hears(hertz) > 0.5, `the customer hears ${hertz} Hz`);
  const silent = (call: PhoneCall, hertz: number) =>
    eventually(() => call.ear.hears(hertz) < 0.1, `the customer hears ${hertz} Hz no more`);

  /** A customer in conversation with alice. */
  async function connected(): Promise<PhoneCall> {
    const customer = await stage.customerCalls();
    await alice.answer();
    await alice.hears(VOICES.customer);
    await hears(customer, VOICES.alice);
    return customer;
  }

  it('call each other by extension, and both hear', async () => {
    await alice.dial('1002');
    await bob.answer();
    await alice.call('talking').waitFor();
    await Promise.all([alice.hears(VOICES.bob), bob.hears(VOICES.alice)]);
    await bob.press(bob.call('talking'), 'Hang up');
    await alice.call('ended').waitFor();
  });

  it('call a number, and hear what it plays: themselves', async () => {
    await alice.dial('9196');
    await alice.call('talking').waitFor();
    await alice.hears(VOICES.alice);
    await alice.press(alice.call('talking'), 'Hang up');
  });

  it('take a customer’s call: audio is heard in the browser, and RTP arrives, both ways', async () => {
    const customer = await connected();
    const before = customer.ear.received.length;
    await eventually(
      () => customer.ear.received.length > before + SOME,
      'packets keep coming to the customer',
    );
    await alice
      .call('talking')
      .locator('.quality', { hasText: /good.*Round trip.*\d ms.*0\.0 %/s })
      .waitFor();
    customer.hangUp();
    await alice.call('ended').waitFor();
  });

  it('refuse a call, which tells the customer', async () => {
    const customer = await stage.customerCalls();
    await alice.press(alice.call('incoming'), 'Reject');
    await eventually(() => customer.end, 'the call ends');
    expect(customer.status).toBe(486);
  });

  it('hold a call, mute it, and take it back', async () => {
    const customer = await connected();
    const call = alice.call('talking');
    await alice.press(call, 'Mute');
    await silent(customer, VOICES.alice);
    await alice.hears(VOICES.customer);
    await alice.press(call, 'Mute');
    await hears(customer, VOICES.alice);

    await alice.press(call, 'Hold');
    const held = alice.call('held');
    await silent(customer, VOICES.alice);
    await alice.hearsNothing(held);
    await alice.press(held, 'Hold');
    await alice.hears(VOICES.customer);
    await hears(customer, VOICES.alice);
  });

  it('give a call to a colleague, who then talks to the customer', async () => {
    const customer = await connected();
    const call = alice.call('talking');
    await alice.press(call, 'Transfer');
    await call.getByLabel('Transfer to').fill('1002');
    await alice.press(call, 'Transfer now');
    await bob.answer();
    await alice.call('ended').waitFor();
    await Promise.all([bob.hears(VOICES.customer), hears(customer, VOICES.bob)]);
  });

  it('ask a colleague first, and connect the customer with them', async () => {
    const customer = await connected();
    const call = alice.call('talking');
    await alice.press(call, 'Transfer');
    await call.getByLabel('Transfer to').fill('1002');
    await alice.press(call, 'Ask first');
    await bob.answer();
    await Promise.all([bob.hears(VOICES.alice), silent(customer, VOICES.alice)]);
    await alice.press(alice.call('held'), 'Connect with 1002');
    await Promise.all([bob.hears(VOICES.customer), hears(customer, VOICES.bob)]);
    await alice.page.locator('.call:not([data-state=ended])').first().waitFor({ state: 'detached' });
  });

  it('press keys that the customer’s side gets', async () => {
    const customer = await connected();
    for (const key of ['4', '2', '#'])
      await alice.page.getByRole('button', { name: key, exact: true }).click();
    await eventually(() => customer.ear.digits === '42#', 'the digits arrive');
  });
});
