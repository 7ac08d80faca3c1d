import { randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { type Document, withSession } from '../../domain/xml/document.ts';

/** Answers that are kept, by count, bytes and age. */
const MOST = 20_000;
const MOST_BYTES = 64 * 1024 * 1024;
const AGE_MS = 3_600_000;

/** The last good answer to each question, for while nobody answers. */
export class LastAnswers {
  readonly #answers = new LRUCache<string, Document>({
    max: MOST,
    maxSize: MOST_BYTES,
    sizeCalculation: ({ text }) => text.length + 200,
    ttl: AGE_MS,
  });

  has(key: string): boolean {
    return this.#answers.has(key);
  }

  keep(key: string, answer: Document): void {
    this.#answers.set(key, answer);
  }

  forget(key: string): void {
    this.#answers.delete(key);
  }

  /** The document as it was, with a session of its own: the one it was made for is another call's. */
  find(key: string): string | undefined {
    const answer = this.#answers.get(key);
    return answer && withSession(answer, randomBytes(8).toString('hex'));
  }
}
