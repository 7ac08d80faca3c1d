/**
 * What the domain needs of a key-value store with revisions (NATS JetStream KV
 * in production). One revision counter runs over the whole bucket; every write
 * takes the next one. Calls reject with `unavailable` when the store is silent.
 */
export interface Store {
  /** False while the store is known to be away: a call would only fail. */
  readonly live: boolean;
  /** Writes where there is no value; the new revision, or undefined when there is one. */
  create(key: string, value: Uint8Array): Promise<number | undefined>;
  /** Writes where the key still has `revision` (0: was never written); undefined when it has another. */
  update(key: string, value: Uint8Array, revision: number): Promise<number | undefined>;
  /** Removes where the key still has `revision`; the removal's own revision, or undefined. */
  remove(key: string, revision: number): Promise<number | undefined>;
  /** What holds now, read where writes are decided; a removed key has no value but its removal's revision. */
  read(key: string): Promise<Stored | undefined>;
  /** Where the bucket stands, read where writes are decided. */
  position(): Promise<Position>;
  /** Forgets everything below a revision, removals and values alike. */
  compact(below: number): Promise<void>;
}

/** A key's last write; no value means that it was a removal. */
export interface Stored {
  readonly value: Uint8Array | undefined;
  readonly revision: number;
}

export interface Position {
  /** Oldest revision still stored. */
  readonly first: number;
  /** Newest revision ever given. */
  readonly last: number;
  /** Writes stored, removals included. */
  readonly count: number;
}

/**
 * What a store tells a replica. After every loss of touch a whole snapshot
 * follows: began, changes, complete, then changes as they happen, each in
 * order of revision.
 */
export interface Feed {
  /** `reborn`: revisions known so far mean nothing any more, the bucket was made anew. */
  began(position: Position, reborn: boolean): void;
  changed(key: string, value: Uint8Array | undefined, revision: number): void;
  complete(): void;
  /** Touch was lost; a snapshot follows when it is back. */
  silent(reason: string): void;
}

/** Connects a feed; the store starts at once and keeps trying for ever. */
export interface FeedingStore extends Store {
  feed(feed: Feed): void;
}
