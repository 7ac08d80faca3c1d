import { setTimeout as delay } from 'node:timers/promises';
import { withTimeout } from '@callmesh/runtime';
import pg from 'pg';
import { CHANNEL } from './log.ts';

/** The registry's row is read this often, whatever is heard: notifications get lost with their connection. */
const POLL_MS = 1_000;
/** A database that takes longer than this is said to be away. */
const SILENT_MS = 2_000;
const RECONNECT_MS = 500;
/** Before the revision was read for the first time. */
const UNKNOWN = -1;

export interface FeedOptions {
  /** Reads the registry's revision. */
  readonly revision: () => Promise<number>;
  /** PostgreSQL to listen at; absent where all changes are made by this process. */
  readonly listen?: { readonly url: string };
  /** Told when the database stops answering (why), and when it answers again (null). */
  readonly onHealth: (reason: string | null) => void;
}

/** Says when the registry's revision moves, whoever moved it: watchers then read the changes. */
export class Feed {
  readonly name = 'change-feed';
  readonly #options: FeedOptions;
  readonly #stop = new AbortController();
  readonly #waiting = new Set<() => void>();
  #revision = UNKNOWN;
  #poll: Promise<void> | undefined;
  #listen: Promise<void> | undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** The last revision that was heard of. */
  get revision(): number {
    return this.#revision;
  }

  async start(): Promise<void> {
    this.#poll = this.#pollForEver();
    if (this.#options.listen) this.#listen = this.#listenForEver(this.#options.listen.url);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#wakeAll();
    await Promise.all([this.#poll, this.#listen]);
  }

  /** Tells a revision; lower ones than known count only when they were read: notifications may be late. */
  moved(revision: number): void {
    if (revision > this.#revision) this.#set(revision);
  }

  /** Resolves when the revision is another than `seen`, or the signal aborts. */
  async wait(seen: number, signal: AbortSignal): Promise<void> {
    const known = this.#revision !== UNKNOWN;
    if ((known && this.#revision !== seen) || signal.aborted || this.#stop.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const wake = () => {
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }

  #set(revision: number): void {
    if (revision === this.#revision) return;
    this.#revision = revision;
    this.#wakeAll();
  }

  #wakeAll(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  async #pollForEver(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#read();
      await this.#pause(POLL_MS);
    }
  }

  async #read(): Promise<void> {
    const before = this.#revision;
    try {
      const revision = await withTimeout(this.#options.revision(), SILENT_MS, 'reading the revision');
      this.#options.onHealth(null);
      // A lower revision is another registry: a restored backup. What was heard while reading is newer.
      if (this.#revision === before) this.#set(revision);
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#options.onHealth((error as Error).message);
    }
  }

  async #listenForEver(url: string): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#listenOnce(url).catch(() => {});
      await this.#pause(RECONNECT_MS);
    }
  }

  async #listenOnce(url: string): Promise<void> {
    const client = new pg.Client({
      connectionString: url,
      connectionTimeoutMillis: SILENT_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: SILENT_MS,
      application_name: 'callmesh-tenant-registry-listen',
    });
    const ended = new Promise<void>((resolve) => {
      client.once('error', () => resolve());
      client.once('end', () => resolve());
      this.#stop.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    try {
      await client.connect();
      client.on('notification', ({ payload }) => this.moved(Number(payload)));
      await client.query(`listen ${CHANNEL}`);
      await this.#read();
      await ended;
    } finally {
      client.on('error', () => {});
      await withTimeout(client.end(), SILENT_MS, 'closing').catch(() => {});
    }
  }

  #pause(ms: number): Promise<void> {
    return delay(ms, undefined, { signal: this.#stop.signal }).catch(() => {});
  }
}
