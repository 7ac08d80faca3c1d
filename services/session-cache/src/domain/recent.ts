import type { Session } from './session.ts';

/** Sessions that ended lately, so that a late or repeated event is told from a new one. */
export class Recent {
  readonly #ended = new Map<string, { session: Session; at: number }>();
  readonly #capacity: number;
  readonly #keepMs: number;

  constructor(keepMs: number, capacity: number) {
    this.#keepMs = keepMs;
    this.#capacity = capacity;
  }

  add(session: Session, now: number): void {
    this.#ended.delete(session.sessionId);
    this.#ended.set(session.sessionId, { session, at: now });
    for (const [id, { at }] of this.#ended) {
      if (this.#ended.size <= this.#capacity && now - at < this.#keepMs) break;
      this.#ended.delete(id);
    }
  }

  get(sessionId: string): Session | undefined {
    return this.#ended.get(sessionId)?.session;
  }
}
