import type { Etcd3 } from 'etcd3';
import type { CommonConfig } from '../config.ts';
import { CallmeshError, fail } from '../errors.ts';
import { type Component, withTimeout } from '../lifecycle.ts';
import type { App } from '../service.ts';
import { etcdClient } from './client.ts';
import { EtcdLease } from './lease.ts';
import { PrefixWatch, type WatchHandlers } from './watch.ts';

/** Most time one operation may take unless told, milliseconds. */
const DEADLINE_MS = 2_000;
const PROBE_MS = 1_000;
/** A key nobody writes: asking for it needs a quorum and returns nothing. */
const PROBE_KEY = '/callmesh/probe';

/** etcd as the mesh uses it: discovery and liveness, and an answer for its silence. */
export class Etcd implements Component {
  readonly name = 'etcd';
  readonly #app: App;
  readonly #config: CommonConfig['etcd'];
  readonly #client: Etcd3;
  readonly #open = new Set<{ close(): void | Promise<void> }>();
  readonly #listeners = new Set<(healthy: boolean) => void>();
  #silentSince: number | undefined = Date.now();
  #probe: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(app: App, config: CommonConfig['etcd']) {
    this.#app = app;
    this.#config = config;
    this.#client = etcdClient(config);
  }

  /** Since when etcd has not answered, Unix milliseconds; undefined while it does. */
  get silentSince(): number | undefined {
    return this.#silentSince;
  }

  /** Returns after the first question whatever its outcome: a service starts without etcd. */
  async start(): Promise<void> {
    await this.#ask();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#probe);
    await Promise.all([...this.#open].map((item) => item.close()));
    this.#client.close();
  }

  /** Calls `listener` at each change of etcd's health, and once now. */
  onHealth(listener: (healthy: boolean) => void): void {
    this.#listeners.add(listener);
    listener(this.#silentSince === undefined);
  }

  /** The value of a key; undefined when there is none. Errors: unavailable. */
  async get(key: string, options: { readonly deadlineMs?: number } = {}): Promise<string | undefined> {
    return (await this.#run(this.#client.get(key).string(), `get ${key}`, options.deadlineMs)) ?? undefined;
  }

  /** Errors: unavailable; the value may have been stored all the same. */
  async put(key: string, value: string, options: { readonly deadlineMs?: number } = {}): Promise<void> {
    await this.#run(this.#client.put(key).value(value).exec(), `put ${key}`, options.deadlineMs);
  }

  /** Deleting what is not there is no error. Errors: unavailable. */
  async delete(key: string, options: { readonly deadlineMs?: number } = {}): Promise<void> {
    await this.#run(this.#client.delete().key(key).exec(), `delete ${key}`, options.deadlineMs);
  }

  /** Follows all keys under a prefix until closed; see PrefixWatch. */
  watchPrefix(prefix: string, handlers: WatchHandlers): { close(): void } {
    return this.#keep(new PrefixWatch(() => etcdClient(this.#config), prefix, handlers, this.#app.log));
  }

  /** A lease of `ttlS` seconds that keeps its keys present whatever happens to etcd; see EtcdLease. */
  lease(name: string, ttlS: number): EtcdLease {
    return this.#keep(new EtcdLease(this.#client, name, ttlS, this.#app.log));
  }

  #keep<T extends { close(): void | Promise<void> }>(item: T): T {
    this.#open.add(item);
    return item;
  }

  async #run<T>(operation: Promise<T>, what: string, deadlineMs = DEADLINE_MS): Promise<T> {
    try {
      const result = await withTimeout(operation, deadlineMs, what);
      this.#health(true);
      return result;
    } catch (error) {
      const reason =
        error instanceof CallmeshError ? error.message : String((error as Error).message ?? error);
      this.#health(false, reason);
      throw fail('unavailable', `etcd: ${reason}`, { cause: error });
    }
  }

  async #ask(): Promise<void> {
    await this.get(PROBE_KEY, { deadlineMs: PROBE_MS }).catch(() => {});
    if (!this.#stopped) this.#probe = setTimeout(() => void this.#ask(), PROBE_MS);
  }

  #health(healthy: boolean, reason = ''): void {
    if (this.#stopped) return;
    const was = this.#silentSince === undefined;
    this.#silentSince = healthy ? undefined : (this.#silentSince ?? Date.now());
    this.#app.degraded('etcd', healthy ? null : `etcd does not answer (${reason})`);
    if (was !== healthy) for (const listener of this.#listeners) listener(healthy);
  }
}
