import { EtcdAuthenticationFailedError, EtcdPermissionDeniedError } from 'etcd3';
import type { CommonConfig } from '../config.ts';
import { fail } from '../errors.ts';
import type { Component } from '../lifecycle.ts';
import type { App } from '../service.ts';
import { EtcdClients } from './client.ts';
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
  readonly #clients: EtcdClients;
  readonly #leases = new Set<EtcdLease>();
  readonly #watches = new Set<PrefixWatch>();
  readonly #listeners = new Set<(healthy: boolean) => void>();
  #silentSince: number | undefined = Date.now();
  #probe: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(app: App, config: CommonConfig['etcd']) {
    this.#app = app;
    this.#clients = new EtcdClients(config);
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
    for (const watch of this.#watches) watch.close();
    await Promise.all([...this.#leases].map((lease) => lease.close()));
    this.#clients.close();
  }

  /** Calls `listener` at each change of etcd's health, and once now. */
  onHealth(listener: (healthy: boolean) => void): void {
    this.#listeners.add(listener);
    listener(this.#silentSince === undefined);
  }

  /** The value of a key; undefined when there is none. Errors: unavailable. */
  async get(key: string, options: { readonly deadlineMs?: number } = {}): Promise<string | undefined> {
    const value = await this.#run((client) => client.get(key).string(), `get ${key}`, options.deadlineMs);
    return value ?? undefined;
  }

  /** Errors: unavailable; the value may have been stored all the same. */
  async put(key: string, value: string, options: { readonly deadlineMs?: number } = {}): Promise<void> {
    await this.#run((client) => client.put(key).value(value).exec(), `put ${key}`, options.deadlineMs);
  }

  /** Deleting what is not there is no error. Errors: unavailable. */
  async delete(key: string, options: { readonly deadlineMs?: number } = {}): Promise<void> {
    await this.#run((client) => client.delete().key(key).exec(), `delete ${key}`, options.deadlineMs);
  }

  /** Follows all keys under a prefix until closed; see PrefixWatch. */
  watchPrefix(prefix: string, handlers: WatchHandlers): { close(): void } {
    const watch = new PrefixWatch(this.#clients, prefix, handlers, this.#app.log);
    this.#watches.add(watch);
    return {
      close: () => {
        this.#watches.delete(watch);
        watch.close();
      },
    };
  }

  /** A lease of `ttlS` seconds that keeps its keys present whatever happens to etcd; see EtcdLease. */
  lease(name: string, ttlS: number): EtcdLease {
    const lease = new EtcdLease(this.#clients, name, ttlS, this.#app.log);
    this.#leases.add(lease);
    return lease;
  }

  async #run<T>(
    operation: (client: EtcdClients['current']) => Promise<T>,
    what: string,
    deadlineMs = DEADLINE_MS,
  ): Promise<T> {
    try {
      const result = await this.#clients.run(operation, what, deadlineMs);
      this.#health(true);
      return result;
    } catch (error) {
      const reason = reasonOf(error);
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
    if (was === healthy) return;
    for (const listener of this.#listeners) listener(healthy);
    // A connection that was cut may look open for long: after a silence every watch begins anew.
    if (healthy) for (const watch of this.#watches) watch.renew();
  }
}

/** Why etcd did not do it; what the configuration is to blame for names its key. */
function reasonOf(error: unknown): string {
  if (error instanceof EtcdAuthenticationFailedError)
    return 'it refuses etcd.username with this etcd.password';
  if (error instanceof EtcdPermissionDeniedError)
    return 'etcd.username, or else the name in the certificate, may not use /callmesh/';
  const message = String((error as Error).message ?? error);
  if (message.includes('user name is empty')) return 'it wants etcd.username and etcd.password';
  return message;
}
