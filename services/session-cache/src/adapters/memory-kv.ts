import { fail } from '@callmesh/runtime';
import type { Feed, FeedingStore, Position, Stored } from '../domain/store.ts';

/**
 * A bucket in memory with the rules of a JetStream KV bucket: one revision
 * counter, removals that stay as markers, compaction. Several replicas connect
 * to it, each over a line of its own that can be cut. For tests.
 */
export class MemoryBucket {
  readonly #stored = new Map<string, Stored>();
  readonly #lines = new Set<MemoryStore>();
  #last = 0;
  #first = 1;
  /** Grows with each wipe: tells a bucket made anew from the one before. */
  life = 0;
  /** What happens on the wire: awaited before a call takes effect, again before its answer, and before each delivery of the feed. */
  readonly wire: (what: 'call' | 'feed') => Promise<void>;

  constructor(wire: (what: 'call' | 'feed') => Promise<void> = () => Promise.resolve()) {
    this.wire = wire;
  }

  connect(): MemoryStore {
    const line = new MemoryStore(this);
    this.#lines.add(line);
    return line;
  }

  /** Loses everything, as a server whose disk was replaced; lines see a reconnect. */
  wipe(): void {
    this.#stored.clear();
    this.#last = 0;
    this.#first = 1;
    this.life += 1;
    for (const line of this.#lines) if (line.live) line.reconnect();
  }

  /** Loses the newest writes, as a server that died before it wrote them to disk. */
  forget(after: number): void {
    for (const [key, { revision }] of this.#stored) if (revision > after) this.#stored.delete(key);
    this.#last = Math.min(this.#last, after);
    for (const line of this.#lines) if (line.live) line.reconnect();
  }

  get(key: string): Stored | undefined {
    return this.#stored.get(key);
  }

  keys(): string[] {
    return [...this.#stored].filter(([, { value }]) => value).map(([key]) => key);
  }

  snapshot(): [string, Stored][] {
    return [...this.#stored].sort(([, a], [, b]) => a.revision - b.revision);
  }

  position(): Position {
    const revisions = [...this.#stored.values()].map(({ revision }) => revision);
    const first = revisions.length ? Math.min(...revisions) : this.#last + 1;
    return { first: Math.max(this.#first, first), last: this.#last, count: this.#stored.size };
  }

  write(key: string, value: Uint8Array | undefined): number {
    const revision = ++this.#last;
    this.#stored.delete(key);
    this.#stored.set(key, { value, revision });
    for (const line of this.#lines) line.deliver(key, value, revision);
    return revision;
  }

  compact(below: number): void {
    for (const [key, { revision }] of this.#stored) if (revision < below) this.#stored.delete(key);
    this.#first = Math.max(this.#first, below);
  }
}

/** One replica's line to the bucket. */
export class MemoryStore implements FeedingStore {
  readonly #bucket: MemoryBucket;
  #feed: Feed | undefined;
  #knownLife: number | undefined;
  #queue: Promise<void> = Promise.resolve();
  /** Deliveries of an older connection are dropped. */
  #connection = 0;
  live = true;

  constructor(bucket: MemoryBucket) {
    this.#bucket = bucket;
  }

  feed(feed: Feed): void {
    this.#feed = feed;
    if (this.live) this.reconnect();
  }

  /** Cuts the line. */
  disconnect(): void {
    this.live = false;
    this.#connection += 1;
    this.#feed?.silent('disconnected');
  }

  /** Joins the line again, or breaks and joins it. */
  reconnect(): void {
    this.live = true;
    const connection = ++this.#connection;
    const reborn = this.#knownLife !== undefined && this.#knownLife !== this.#bucket.life;
    this.#knownLife = this.#bucket.life;
    const feed = this.#feed;
    if (!feed) return;
    const position = this.#bucket.position();
    const snapshot = this.#bucket.snapshot();
    this.#later(connection, () => feed.began(position, reborn));
    for (const [key, { value, revision }] of snapshot)
      this.#later(connection, () => feed.changed(key, value, revision));
    this.#later(connection, () => feed.complete());
  }

  deliver(key: string, value: Uint8Array | undefined, revision: number): void {
    const feed = this.#feed;
    if (this.live && feed) this.#later(this.#connection, () => feed.changed(key, value, revision));
  }

  #later(connection: number, deliver: () => void): void {
    this.#queue = this.#queue.then(async () => {
      await this.#bucket.wire('feed');
      if (connection === this.#connection) deliver();
    });
  }

  async #call<T>(work: () => T): Promise<T> {
    const connection = this.#connection;
    if (this.live) await this.#bucket.wire('call');
    if (!this.live) throw fail('unavailable', 'the bucket is away');
    const result = work();
    await this.#bucket.wire('call');
    if (connection !== this.#connection) throw fail('unavailable', 'the answer was lost');
    return result;
  }

  create(key: string, value: Uint8Array): Promise<number | undefined> {
    return this.#call(() => (this.#bucket.get(key)?.value ? undefined : this.#bucket.write(key, value)));
  }

  update(key: string, value: Uint8Array, revision: number): Promise<number | undefined> {
    return this.#call(() => (this.#at(key, revision) ? this.#bucket.write(key, value) : undefined));
  }

  remove(key: string, revision: number): Promise<number | undefined> {
    return this.#call(() => (this.#at(key, revision) ? this.#bucket.write(key, undefined) : undefined));
  }

  #at(key: string, revision: number): boolean {
    return (this.#bucket.get(key)?.revision ?? 0) === revision;
  }

  read(key: string): Promise<Stored | undefined> {
    return this.#call(() => this.#bucket.get(key));
  }

  position(): Promise<Position> {
    return this.#call(() => this.#bucket.position());
  }

  compact(below: number): Promise<void> {
    return this.#call(() => this.#bucket.compact(below));
  }
}
