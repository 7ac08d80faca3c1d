import { closeSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Leg } from '../../domain/leg.ts';

/** The live legs of one life of FreeSWITCH. */
export interface RememberedLegs {
  readonly epoch: string;
  readonly legs: readonly Leg[];
}

/** Grows when a leg is written otherwise: what another release wrote is not read. */
const FORMAT = 2;
/** The file is written anew when it has so many lines, and so many more for each leg that is live. */
const SPARE_LINES = 1_000;
const LINES_PER_LEG = 8;

/**
 * Live legs on disk, so that a restarted agent tells the end of those that ended
 * meanwhile, and tells nothing twice: a line for each change, in the turn in which it
 * is told. Not synced: what it outlives is the agent's end, not the host's.
 */
export class LegMemory {
  readonly #path: string;
  readonly #current: () => RememberedLegs | undefined;
  readonly #onError: (error: Error) => void;
  readonly #changed = new Map<string, Leg>();
  #file: number | undefined;
  #epoch = '';
  #lines = 0;
  #most = 0;

  /** `current` is what is live now, undefined while nothing is known. */
  constructor(path: string, current: () => RememberedLegs | undefined, onError: (error: Error) => void) {
    this.#path = path;
    this.#current = current;
    this.#onError = onError;
    mkdirSync(dirname(path), { recursive: true });
  }

  /** What an earlier agent left; undefined when there is nothing to be read. */
  load(): RememberedLegs | undefined {
    const [first, ...rest] = lines(this.#path);
    const { format, epoch } = (first ?? {}) as { format?: number; epoch?: string };
    if (format !== FORMAT || typeof epoch !== 'string') return undefined;
    const legs = new Map<string, Leg>();
    for (const leg of rest as Leg[]) {
      if (leg.hungUp) legs.delete(leg.uuid);
      else legs.set(leg.uuid, leg);
    }
    return { epoch, legs: [...legs.values()] };
  }

  /** A leg changed: it is written when this turn of the event loop is over, once for all its changes. */
  note(leg: Leg): void {
    if (this.#changed.size === 0) queueMicrotask(() => this.flush());
    this.#changed.set(leg.uuid, leg);
  }

  flush(): void {
    const now = this.#current();
    if (!now || this.#changed.size === 0) return;
    const changed = [...this.#changed.values()];
    this.#changed.clear();
    try {
      if (this.#file === undefined || now.epoch !== this.#epoch || this.#lines > this.#most)
        this.#rewrite(now);
      else this.#append(changed);
    } catch (error) {
      this.close();
      this.#onError(error as Error);
    }
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #append(legs: readonly Leg[]): void {
    writeSync(this.#file!, text(legs));
    this.#lines += legs.length;
  }

  #rewrite({ epoch, legs }: RememberedLegs): void {
    this.close();
    const draft = `${this.#path}.new`;
    writeFileSync(draft, text([{ format: FORMAT, epoch }, ...legs]), { mode: 0o600 });
    renameSync(draft, this.#path);
    this.#file = openSync(this.#path, 'a', 0o600);
    this.#epoch = epoch;
    this.#lines = legs.length;
    this.#most = SPARE_LINES + legs.length * LINES_PER_LEG;
  }
}

function text(values: readonly unknown[]): string {
  return values.map((value) => `${JSON.stringify(value)}\n`).join('');
}

/** Every whole line; the last may be half of one, of an agent that was killed while it wrote. */
function lines(path: string): unknown[] {
  try {
    const written = readFileSync(path, 'utf8').split('\n').slice(0, -1);
    return written.map((line) => JSON.parse(line));
  } catch {
    return [];
  }
}
