import { fail } from '@callmesh/runtime';
import type { Codec } from './codec.ts';
import type { Feed, FeedingStore, Position } from './store.ts';

/** A value with the revision that last wrote it; 0 when the store does not have it. */
export interface Entry<V> {
  readonly value: V;
  readonly revision: number;
}

/** Called after each change of memory; `after` is undefined when the entry is gone. */
export type ChangeListener<V> = (
  key: string,
  before: Entry<V> | undefined,
  after: Entry<V> | undefined,
) => void;

/** How many values are put back at once after the store lost them. */
const REPUT_PARALLEL = 64;
/** Attempts at a compare-and-set before the contention is called a failure. */
const ATTEMPTS = 30;

/**
 * All of a bucket in memory, fed by the store's watch; writes are decided by the
 * store alone. What the store lost (wiped, restored from an older state) is put
 * back from memory when it returns.
 */
export class Replica<V> implements Feed {
  readonly #store: FeedingStore;
  readonly #codec: Codec<V>;
  readonly #entries = new Map<string, Entry<V>>();
  /** Our own removals that the feed has not told of yet: an older put it still brings must not revive the key. */
  readonly #removed = new Map<string, number>();
  readonly #listeners: ChangeListener<V>[] = [];
  readonly #waiting: { revision: number; resolve: () => void; reject: (error: unknown) => void }[] = [];
  /** Keys the snapshot under way has brought, with their revision. */
  #snapshot: Map<string, number> | undefined;
  #position: Position = { first: 0, last: 0, count: 0 };
  #applied = 0;
  #synced = false;
  #live = false;
  /** Why the store is silent; null while it is not. */
  onHealth: (reason: string | null) => void = () => {};
  /** Told how many entries were put back after the store lost them. */
  onRestored: (count: number) => void = () => {};

  constructor(store: FeedingStore, codec: Codec<V>) {
    this.#store = store;
    this.#codec = codec;
  }

  start(): void {
    this.#store.feed(this);
  }

  /** True when memory has once been complete: what is not in it may be told to be missing. */
  get synced(): boolean {
    return this.#synced;
  }

  /** True while memory follows the store. */
  get live(): boolean {
    return this.#live && this.#store.live;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Newest revision the feed has brought. */
  get applied(): number {
    return this.#applied;
  }

  onChange(listener: ChangeListener<V>): void {
    this.#listeners.push(listener);
  }

  /** From memory. */
  get(key: string): Entry<V> | undefined {
    return this.#entries.get(key);
  }

  entries(): IterableIterator<[string, Entry<V>]> {
    return this.#entries.entries();
  }

  /** From where writes are decided; memory learns of it. */
  async read(key: string): Promise<Entry<V> | undefined> {
    const stored = await this.#store.read(key);
    if (stored === undefined) return undefined;
    const value = stored.value && this.#codec.decode(stored.value);
    this.#learn(key, value, stored.revision);
    return value === undefined ? undefined : { value, revision: stored.revision };
  }

  /** Resolves when memory has all that was written before the call; `unavailable` when the store is silent. */
  async catchUp(): Promise<void> {
    const { last } = await this.#store.position();
    if (this.#applied >= last && this.#live) return;
    await new Promise<void>((resolve, reject) => this.#waiting.push({ revision: last, resolve, reject }));
  }

  /** Creates a value; undefined when the key has one. */
  async create(key: string, value: V): Promise<Entry<V> | undefined> {
    const revision = await this.#store.create(key, this.#codec.encode(value));
    return this.#written(key, value, revision);
  }

  /** Replaces what `entry` says is there; undefined when something else is. */
  async update(key: string, entry: Entry<V>, value: V): Promise<Entry<V> | undefined> {
    const revision = await this.#store.update(key, this.#codec.encode(value), entry.revision);
    return this.#written(key, value, revision);
  }

  /** Removes what `entry` says is there; false when something else is. */
  async remove(key: string, entry: Entry<V>): Promise<boolean> {
    const revision = await this.#store.remove(key, entry.revision);
    if (revision !== undefined) this.#learn(key, undefined, revision);
    return revision !== undefined;
  }

  /**
   * Changes a value by compare-and-set until it holds. `decide` gets what is
   * there and returns what shall be (undefined: nothing); returning what it got
   * changes nothing. It may be called more than once. Memory may be behind: a
   * change is checked by the store anyway, and that nothing is to be done is
   * believed only of what the store itself says.
   */
  async change(
    key: string,
    decide: (value: V | undefined) => V | undefined,
  ): Promise<{ before: Entry<V> | undefined; after: Entry<V> | undefined; changed: boolean }> {
    let before = this.#entries.get(key);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const wanted = decide(before?.value);
      if (wanted === before?.value) {
        if (attempt > 0) return { before, after: before, changed: false };
      } else if (wanted === undefined) {
        if (await this.remove(key, before!)) return { before, after: undefined, changed: true };
      } else {
        const after = before ? await this.update(key, before, wanted) : await this.create(key, wanted);
        if (after) return { before, after, changed: true };
      }
      before = await this.read(key);
    }
    throw fail('unavailable', 'too many others change this at the same time');
  }

  /** Rewrites what is older than `below` and lets the store forget everything before it. */
  async compact(below: number): Promise<void> {
    const old = [...this.#entries].filter(([, entry]) => entry.revision < below).map(([key]) => key);
    await inParallel(old, async (key) => {
      const entry = this.#entries.get(key);
      // A lost race is fine: whoever won has written it anew.
      if (entry && entry.revision < below) await this.update(key, entry, entry.value);
    });
    await this.#store.compact(below);
  }

  // Feed

  began(position: Position, reborn: boolean): void {
    this.#position = position;
    this.#snapshot = new Map();
    if (!reborn) return;
    this.#applied = 0;
    this.#removed.clear();
    for (const [key, { value }] of this.#entries) this.#entries.set(key, { value, revision: 0 });
  }

  changed(key: string, bytes: Uint8Array | undefined, revision: number): void {
    this.#snapshot?.set(key, revision);
    if (revision > this.#applied) this.#applied = revision;
    const removed = this.#removed.get(key);
    if (removed !== undefined && removed <= revision) this.#removed.delete(key);
    if (removed === undefined || removed < revision) {
      const value = bytes && this.#codec.decode(bytes);
      if (revision > (this.#entries.get(key)?.revision ?? 0)) this.#set(key, value, revision);
    }
    if (this.#waiting.length && !this.#snapshot) this.#wake();
  }

  complete(): void {
    const seen = this.#snapshot ?? new Map<string, number>();
    this.#snapshot = undefined;
    this.#applied = Math.max(this.#applied, this.#position.last);
    const doubtful: string[] = [];
    for (const [key, entry] of this.#entries) {
      const brought = seen.get(key);
      if (brought !== undefined ? brought < entry.revision : this.#lost(entry.revision)) doubtful.push(key);
      else if (brought === undefined) this.#set(key, undefined, this.#applied);
    }
    this.#live = true;
    this.#synced = true;
    this.onHealth(null);
    this.#wake();
    if (doubtful.length) this.#restore(doubtful).catch(() => {});
  }

  silent(reason: string): void {
    this.#live = false;
    this.#snapshot = undefined;
    for (const waiting of this.#waiting.splice(0))
      waiting.reject(fail('unavailable', `store is silent: ${reason}`));
    this.onHealth(reason);
  }

  /**
   * Whether an entry that the snapshot lacks was lost by the store. Had it been
   * removed, its removal would be newer than the entry and still be there, unless
   * both were compacted away: then the entry is older than the first revision kept.
   */
  #lost(revision: number): boolean {
    return revision === 0 || revision >= this.#position.first || revision > this.#position.last;
  }

  /** Puts back what the store seems to have lost. */
  async #restore(keys: string[]): Promise<void> {
    let restored = 0;
    await inParallel(keys, async (key) => {
      if (await this.#putBack(key)) restored += 1;
    });
    this.onRestored(restored);
  }

  async #putBack(key: string): Promise<boolean> {
    const entry = this.#entries.get(key);
    if (!entry) return false;
    // Of a bucket made anew nothing is known: create; else ask first, the snapshot may only have been behind.
    const stored = entry.revision === 0 ? undefined : await this.#store.read(key);
    if (stored && stored.revision >= entry.revision) return false;
    const base = stored?.revision ?? 0;
    const revision = await this.#store.update(key, this.#codec.encode(entry.value), base);
    if (this.#entries.get(key) !== entry) return false;
    if (revision === undefined) {
      const winner = await this.#store.read(key);
      if (winner && this.#entries.get(key) === entry)
        this.#set(key, winner.value && this.#codec.decode(winner.value), winner.revision);
      return false;
    }
    this.#entries.set(key, { value: entry.value, revision });
    return true;
  }

  #written(key: string, value: V, revision: number | undefined): Entry<V> | undefined {
    if (revision === undefined) return undefined;
    this.#learn(key, value, revision);
    return { value, revision };
  }

  /** Takes what we know from a write or a read of our own, unless the feed has been there already. */
  #learn(key: string, value: V | undefined, revision: number): void {
    if (revision <= this.#applied) return;
    if (revision <= Math.max(this.#removed.get(key) ?? 0, this.#entries.get(key)?.revision ?? 0)) return;
    if (value === undefined) this.#removed.set(key, revision);
    this.#set(key, value, revision);
  }

  #set(key: string, value: V | undefined, revision: number): void {
    const before = this.#entries.get(key);
    if (value === undefined) {
      if (!before) return;
      this.#entries.delete(key);
      for (const listener of this.#listeners) listener(key, before, undefined);
    } else {
      const after = { value, revision };
      this.#entries.set(key, after);
      for (const listener of this.#listeners) listener(key, before, after);
    }
  }

  #wake(): void {
    for (let index = this.#waiting.length - 1; index >= 0; index--) {
      if (this.#waiting[index]!.revision > this.#applied) continue;
      this.#waiting.splice(index, 1)[0]!.resolve();
    }
  }
}

/** Runs `work` over all items, a bounded number at a time; the first failure ends it. */
async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < items.length) await work(items[next++]!);
  };
  await Promise.all(Array.from({ length: Math.min(REPUT_PARALLEL, items.length) }, lane));
}
