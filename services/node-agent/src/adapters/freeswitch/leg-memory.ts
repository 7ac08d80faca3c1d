import { mkdirSync, readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Leg } from '../../domain/leg.ts';

/** The live legs of one life of FreeSWITCH. */
export interface RememberedLegs {
  readonly epoch: string;
  readonly legs: readonly Leg[];
}

/** Grows when a leg is written otherwise: what another release wrote is not read. */
const FORMAT = 1;
/** Pause before a change is written, milliseconds; and more for each leg, since all are written each time. */
const PAUSE_MS = 100;
const PER_LEG_MS = 0.5;

/** Live legs on disk, so that a restarted agent can tell the end of those that ended meanwhile. */
export class LegMemory {
  readonly #path: string;
  readonly #current: () => RememberedLegs | undefined;
  readonly #onError: (error: Error) => void;
  #timer: NodeJS.Timeout | undefined;
  #writing = false;
  #changed = false;

  /** `current` is what is to be written, undefined while nothing is known. */
  constructor(path: string, current: () => RememberedLegs | undefined, onError: (error: Error) => void) {
    this.#path = path;
    this.#current = current;
    this.#onError = onError;
    mkdirSync(dirname(path), { recursive: true });
  }

  /** What an earlier agent left; undefined when there is nothing to be read. */
  load(): RememberedLegs | undefined {
    try {
      const value = JSON.parse(readFileSync(this.#path, 'utf8')) as RememberedLegs & { format: number };
      return value?.format === FORMAT ? value : undefined;
    } catch {
      return undefined;
    }
  }

  /** Something changed: it is written after a short while. */
  touch(): void {
    this.#changed = true;
    if (this.#writing || this.#timer) return;
    const legs = this.#current()?.legs.length ?? 0;
    this.#timer = setTimeout(() => void this.#write(), PAUSE_MS + legs * PER_LEG_MS);
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#changed) await this.#write();
  }

  async #write(): Promise<void> {
    this.#timer = undefined;
    const now = this.#current();
    if (!now) return;
    this.#writing = true;
    this.#changed = false;
    const draft = `${this.#path}.${process.pid}.new`;
    try {
      await writeFile(draft, JSON.stringify({ format: FORMAT, ...now }), { mode: 0o600 });
      await rename(draft, this.#path);
    } catch (error) {
      this.#onError(error as Error);
    } finally {
      this.#writing = false;
    }
    if (this.#changed) this.touch();
  }
}
