/** Remembers what happened lately, for a time and up to a number; the oldest go first. */
export class Recent<V> {
  readonly #items = new Map<string, { value: V; at: number }>();
  readonly #keepMs: number;
  readonly #capacity: number;

  constructor(keepMs: number, capacity: number) {
    this.#keepMs = keepMs;
    this.#capacity = capacity;
  }

  add(key: string, value: V, now: number): void {
    this.#items.delete(key);
    this.#items.set(key, { value, at: now });
    for (const [oldest, { at }] of this.#items) {
      if (this.#items.size <= this.#capacity && now - at < this.#keepMs) break;
      this.#items.delete(oldest);
    }
  }

  get(key: string): V | undefined {
    return this.#items.get(key)?.value;
  }
}
