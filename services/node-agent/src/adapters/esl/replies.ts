import { fail } from '@callmesh/runtime';
import type { EslMessage } from './message.ts';

/** Most commands that may wait for an answer; beyond it FreeSWITCH is stuck, not busy. */
const MAX_WAITING = 1_000;

interface Waiting {
  readonly what: string;
  readonly resolve: (message: EslMessage) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * Answers come strictly in the order of the commands and carry no correlation.
 * A command whose deadline passed keeps its place in the row, so that its late
 * answer is not taken for the next one's.
 */
export class ReplyQueue {
  readonly #row: Waiting[] = [];

  /** How many answers are owed, late ones included. */
  get waiting(): number {
    return this.#row.length;
  }

  /** Resolves with the answer to the command written right after this call. */
  expect(what: string, deadlineMs: number): Promise<EslMessage> {
    if (this.#row.length >= MAX_WAITING) {
      return Promise.reject(fail('unavailable', `${MAX_WAITING} event socket commands wait already`));
    }
    return new Promise((resolve, reject) => {
      const late = () => reject(fail('deadline', `no answer to "${what}" within ${deadlineMs} ms`));
      this.#row.push({ what, resolve, reject, timer: setTimeout(late, deadlineMs) });
    });
  }

  /** The next answer came; false when nobody asked. */
  answer(message: EslMessage): boolean {
    const oldest = this.#row.shift();
    if (!oldest) return false;
    clearTimeout(oldest.timer);
    oldest.resolve(message);
    return true;
  }

  /** The connection ended: whether these commands were carried out is not known, and they are not sent again. */
  rejectAll(reason: string): void {
    for (const { what, reject, timer } of this.#row.splice(0)) {
      clearTimeout(timer);
      reject(fail('outcome_unknown', `${reason}; whether "${what}" was carried out is not known`));
    }
  }
}
