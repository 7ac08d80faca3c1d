/** Most names kept; beyond it the table starts anew, which costs memory but never an answer. */
const CAPACITY = 20_000;

/** Gives equal strings one copy: a hundred thousand sessions name a hundred nodes. */
export class Interner {
  readonly #names = new Map<string, string>();

  get(name: string): string {
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    if (this.#names.size >= CAPACITY) this.#names.clear();
    this.#names.set(name, name);
    return name;
  }
}
