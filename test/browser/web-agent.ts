import { eventually } from '@callmesh/local';
import type { Locator, Page } from 'playwright-core';

/** Hertz on either side that still are the same tone: an analyser's bins are 12 Hz wide. */
const NEAR = 25;

/** Of ear.js. */
type Ear = (audio: unknown) => Promise<{ level: number; hertz: number }>;

/** An agent at the page, as far as a person can do and see; and what arrives at the ear. */
export class WebAgent {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  async signIn(agent: string, password: string): Promise<void> {
    await this.page.getByLabel('Agent', { exact: true }).fill(agent);
    await this.page.getByLabel('Password').fill(password);
    await this.page.getByRole('button', { name: 'Sign in' }).click();
  }

  /** What the page says of the registration. */
  state(text: string | RegExp): Promise<void> {
    return this.page.locator('#state', { hasText: text }).waitFor();
  }

  /** Waits until the agent is registered. */
  ready(): Promise<void> {
    return this.state(/: Ready$/);
  }

  async dial(number: string): Promise<void> {
    await this.page.getByLabel('Number or colleague').fill(number);
    await this.page.getByRole('button', { name: 'Call', exact: true }).click();
  }

  /** The card of a call that is in this state: the newest. */
  call(state: 'calling' | 'ringing' | 'incoming' | 'talking' | 'held' | 'ended'): Locator {
    return this.page.locator(`.call[data-state=${state}]`).first();
  }

  /** Presses a button of a call. */
  async press(call: Locator, name: string): Promise<void> {
    await call.getByRole('button', { name }).click();
  }

  async answer(): Promise<void> {
    await this.press(this.call('incoming'), 'Answer');
    await this.call('talking').waitFor();
  }

  /** Ends its calls, and takes what is left of them from the page, which would show it for some seconds. */
  async quiet(): Promise<void> {
    for (const state of ['incoming', 'talking', 'held', 'ringing', 'calling'] as const)
      while ((await this.call(state).count()) > 0)
        await this.press(this.call(state), state === 'incoming' ? 'Reject' : 'Hang up');
    await this.page.locator('.call:not([data-state=ended])').first().waitFor({ state: 'detached' });
    await this.page.locator('.call').evaluateAll((cards) => {
      for (const card of cards) (card as unknown as { remove(): void }).remove();
    });
  }

  /** Waits until a tone is what is heard of a call. */
  async hears(hertz: number, call = this.call('talking')): Promise<void> {
    await eventually(async () => {
      const heard = await this.#heard(call);
      return heard.level > 0.01 && Math.abs(heard.hertz - hertz) < NEAR;
    }, `${hertz} Hz is heard`);
  }

  async hearsNothing(call: Locator): Promise<void> {
    await eventually(async () => (await this.#heard(call)).level < 0.005, 'nothing is heard');
  }

  #heard(call: Locator): Promise<{ level: number; hertz: number }> {
    return call.locator('audio').evaluate((audio) => (globalThis as unknown as { heard: Ear }).heard(audio));
  }
}
