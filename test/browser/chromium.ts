import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';

const RATE = 48_000;
const SECONDS = 2;

/** Debian's Chromium without a screen, whose microphone hears one tone for ever. */
export class Chromium {
  readonly #browser: Browser;
  readonly #dir: string;

  private constructor(browser: Browser, dir: string) {
    this.#browser = browser;
    this.#dir = dir;
  }

  static async launch(hertz: number): Promise<Chromium> {
    const dir = mkdtempSync(join(tmpdir(), 'chromium-'));
    const voice = join(dir, 'voice.wav');
    writeFileSync(voice, wav(hertz));
    const browser = await chromium.launch({
      executablePath: '/usr/bin/chromium',
      args: [
        ...['--use-fake-device-for-media-stream', `--use-file-for-fake-audio-capture=${voice}`],
        ...['--use-fake-ui-for-media-stream', '--autoplay-policy=no-user-gesture-required'],
        // Who signed a door's certificate is nobody a browser knows.
        '--ignore-certificate-errors',
        // As root there is no sandbox to be had; what it opens are our own pages.
        ...['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
      ],
    });
    return new Chromium(browser, dir);
  }

  /** A page of its own, as another person's: nothing is shared with the others. */
  async page(url: string, width = 1280): Promise<Page> {
    const context = await this.#browser.newContext({ viewport: { width, height: 900 } });
    await context.addInitScript({ path: join(import.meta.dirname, 'ear.js') });
    context.setDefaultTimeout(10_000);
    const page = await context.newPage();
    await page.goto(url);
    return page;
  }

  async close(): Promise<void> {
    await this.#browser.close();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** A tone as a WAV file of 16 bit samples; whole periods, so that it can be repeated without a click. */
function wav(hertz: number): Buffer {
  const samples = Int16Array.from({ length: RATE * SECONDS }, (_, at) =>
    Math.round(9_000 * Math.sin((2 * Math.PI * hertz * at) / RATE)),
  );
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + samples.byteLength, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(RATE, 24);
  head.writeUInt32LE(RATE * 2, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36);
  head.writeUInt32LE(samples.byteLength, 40);
  return Buffer.concat([head, Buffer.from(samples.buffer)]);
}
