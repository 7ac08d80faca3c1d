import { type Etcd3, EtcdLeaseInvalidError, type Lease } from 'etcd3';
import type { Logger } from 'pino';
import { withTimeout } from '../lifecycle.ts';

const RETRY_MS = 250;

/**
 * Keys that exist while this process lives. etcd3's own lease gives up after two
 * TTLs of silence and never comes back; this one renews by hand, and when the
 * lease is lost (etcd was frozen, restarted, wiped or cut off) grants a new one and
 * puts every key again.
 */
export class EtcdLease {
  readonly #client: Etcd3;
  readonly #name: string;
  readonly #ttlS: number;
  readonly #log: Logger;
  readonly #wanted = new Map<string, string>();
  /** Keys that still have to be written under the current lease. */
  readonly #dirty = new Set<string>();
  #lease: Lease | undefined;
  #renewedAt = 0;
  #closed = false;
  #wake: () => void = () => {};
  readonly #running: Promise<void>;

  constructor(client: Etcd3, name: string, ttlS: number, log: Logger) {
    this.#client = client;
    this.#name = name;
    this.#ttlS = ttlS;
    this.#log = log;
    this.#running = this.#run();
  }

  /** True while the lease was renewed within its TTL and every key is written. */
  get held(): boolean {
    return (
      this.#lease !== undefined && this.#dirty.size === 0 && Date.now() - this.#renewedAt < this.#ttlS * 1000
    );
  }

  /** Keeps this key at this value from now on; written as soon as etcd answers. */
  put(key: string, value: string): void {
    if (this.#wanted.get(key) === value) return;
    this.#wanted.set(key, value);
    this.#dirty.add(key);
    this.#wake();
  }

  /** Keeps this key no longer, and deletes it if etcd answers now; else it goes with the lease or the next put. */
  async delete(key: string): Promise<void> {
    this.#wanted.delete(key);
    this.#dirty.delete(key);
    await withTimeout(this.#client.delete().key(key).exec(), this.#stepMs(), `delete ${key}`).catch(
      (error) => {
        this.#log.warn({ err: error, key }, 'key could not be deleted; giving up the lease instead');
        this.#lose();
        this.#wake();
      },
    );
  }

  /** Revokes the lease, which deletes its keys: an orderly goodbye. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#wake();
    await this.#running;
    const lease = this.#lease;
    this.#lease = undefined;
    if (lease) await withTimeout(lease.revoke(), this.#stepMs(), 'revoke').catch(() => {});
  }

  #stepMs(): number {
    return (this.#ttlS * 1000) / 3;
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      let pause = this.#stepMs();
      try {
        await (this.#lease ? this.#renew(this.#lease) : this.#grant());
        await this.#write();
      } catch (error) {
        if (error instanceof EtcdLeaseInvalidError) this.#lose();
        this.#log.debug({ err: error, lease: this.#name }, 'lease could not be kept; trying again');
        pause = RETRY_MS;
      }
      await this.#pause(pause);
    }
  }

  async #renew(lease: Lease): Promise<void> {
    await withTimeout(lease.keepaliveOnce(), this.#stepMs(), 'lease renewal');
    this.#renewedAt = Date.now();
  }

  async #grant(): Promise<void> {
    const lease = this.#client.lease(this.#ttlS, { autoKeepAlive: false });
    lease.on('lost', () => {});
    const id = await withTimeout(lease.grant(), this.#stepMs(), 'lease grant');
    // etcd3 resolves with the error instead of rejecting.
    if (typeof id !== 'string') throw id;
    if (this.#renewedAt > 0) this.#log.info({ lease: this.#name }, 'lease granted anew');
    this.#lease = lease;
    this.#renewedAt = Date.now();
    for (const key of this.#wanted.keys()) this.#dirty.add(key);
  }

  async #write(): Promise<void> {
    for (const key of [...this.#dirty]) {
      const value = this.#wanted.get(key);
      if (value === undefined) continue;
      await withTimeout(this.#lease!.put(key).value(value).exec(), this.#stepMs(), `put ${key}`);
      if (this.#wanted.get(key) === value) this.#dirty.delete(key);
    }
  }

  #lose(): void {
    this.#lease?.release();
    this.#lease = undefined;
  }

  #pause(ms: number): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
