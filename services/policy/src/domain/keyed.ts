/** Names that are there as long as anything counts on them. */
export class Counted {
  readonly #counts = new Map<string, number>();

  has(name: string): boolean {
    return name !== '' && this.#counts.has(name);
  }

  count(name: string, up: boolean): void {
    const count = (this.#counts.get(name) ?? 0) + (up ? 1 : -1);
    if (count > 0) this.#counts.set(name, count);
    else this.#counts.delete(name);
  }
}

/** Several ids under one key. */
export class Multi {
  readonly #sets = new Map<string, Set<string>>();

  /** In order, so that among several claims the same one always comes first. */
  get(key: string): readonly string[] {
    const ids = this.#sets.get(key);
    return ids ? [...ids].sort() : [];
  }

  change(key: string, id: string, enter: boolean): void {
    const ids = this.#sets.get(key) ?? new Set<string>();
    if (enter) ids.add(id);
    else ids.delete(id);
    if (ids.size > 0) this.#sets.set(key, ids);
    else this.#sets.delete(key);
  }
}

/** The first in order of several names under one key; of thousands that rarely change, one is asked for often. */
export class FirstOf {
  readonly #sets = new Map<string, Set<string>>();
  readonly #firsts = new Map<string, string>();

  of(key: string): string | undefined {
    const known = this.#firsts.get(key);
    if (known !== undefined) return known;
    let first: string | undefined;
    for (const name of this.#sets.get(key) ?? []) if (first === undefined || name < first) first = name;
    if (first !== undefined) this.#firsts.set(key, first);
    return first;
  }

  change(key: string, name: string, enter: boolean): void {
    const names = this.#sets.get(key) ?? new Set<string>();
    if (enter) names.add(name);
    else names.delete(name);
    if (names.size > 0) this.#sets.set(key, names);
    else this.#sets.delete(key);
    this.#firsts.delete(key);
  }
}

/** Enters a value under its key, or takes it out unless another has taken the key meanwhile. */
export function own<V>(map: Map<string, V>, key: string, value: V, enter: boolean): void {
  if (enter) map.set(key, value);
  else if (map.get(key) === value) map.delete(key);
}
