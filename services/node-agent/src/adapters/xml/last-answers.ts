import { randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';

/** Answers that are kept, by count, bytes and age. */
const MOST = 20_000;
const MOST_BYTES = 64 * 1024 * 1024;
const AGE_MS = 3_600_000;

export interface PolicyAnswer {
  /** The XML document. */
  readonly document: string;
  /** Id of the new session the document speaks of; empty when it speaks of none. */
  readonly sessionId: string;
}

/** The last good answer to each question, for while nobody answers. */
export class LastAnswers {
  readonly #answers = new LRUCache<string, PolicyAnswer>({
    max: MOST,
    maxSize: MOST_BYTES,
    sizeCalculation: ({ document }) => document.length + 200,
    ttl: AGE_MS,
  });

  keep(key: string, answer: PolicyAnswer): void {
    this.#answers.set(key, answer);
  }

  forget(key: string): void {
    this.#answers.delete(key);
  }

  /** The document as it was, with a session of its own: the one it was made for is another call's. */
  find(key: string): string | undefined {
    const answer = this.#answers.get(key);
    if (!answer) return undefined;
    const { document, sessionId } = answer;
    return sessionId === '' ? document : document.replaceAll(sessionId, randomBytes(8).toString('hex'));
  }
}
