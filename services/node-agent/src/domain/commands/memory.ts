import type { NodeCommandResult } from '@callmesh/proto/command';

/** What came of a command. */
export type Outcome = Partial<NodeCommandResult>;

interface Entry {
  readonly at: number;
  readonly outcome: Promise<Outcome>;
}

/** How long a command is remembered, milliseconds, and how many are at most. */
export const REMEMBERED_MS = 600_000;
const MOST = 50_000;

/**
 * Commands that were begun, by id: a repetition gets the first one's outcome, or
 * waits for it, and nothing is done twice.
 */
export class CommandMemory {
  readonly #entries = new Map<string, Entry>();

  get size(): number {
    return this.#entries.size;
  }

  /** The outcome of a command of this id, if one was begun lately. */
  recall(id: string, now: number): Promise<Outcome> | undefined {
    const entry = this.#entries.get(id);
    return entry && now - entry.at < REMEMBERED_MS ? entry.outcome : undefined;
  }

  remember(id: string, outcome: Promise<Outcome>, now: number): void {
    this.#entries.delete(id);
    this.#entries.set(id, { at: now, outcome });
    this.#forgetOld(now);
  }

  /** It was not begun after all: a repetition may try. */
  forget(id: string): void {
    this.#entries.delete(id);
  }

  /** Oldest first, which is the order they were remembered in. */
  #forgetOld(now: number): void {
    for (const [id, { at }] of this.#entries) {
      if (now - at < REMEMBERED_MS && this.#entries.size <= MOST) return;
      this.#entries.delete(id);
    }
  }
}
