import { EtcdLeaseInvalidError } from 'etcd3';
import type { Logger } from 'pino';
import type { EtcdClients } from './client.ts';
import { grantLease, renewLease } from './lease-calls.ts';

const RETRY_MS = 250;

/**
 * Keys that exist while this process lives. etcd3's own lease gives up after two
 * TTLs of silence and never comes back; this one renews by hand, and when the
 * lease is lost (etcd was frozen, restarted, wiped or cut off) grants a new one and
 * puts every key again.
 */
export class EtcdLease {
  readonly #clients: EtcdClients;
  readonly #name: string;
  readonly #ttlS: number;
  readonly #log: Logger;
  readonly #wanted = new Map<string, string>();
  /** Keys that still have to be written under the current lease. */
  readonly #dirty = new Set<string>();
  #id: string | undefined;
  #renewedAt = 0;
  #closed = false;
  #wake: () => void = () => {};
  readonly #running: Promise<void>;

  constructor(clients: EtcdClients, name: string, ttlS: number, log: Logger) {
    this.#clients = clients;
    this.#name = name;
    this.#ttlS = ttlS;
    this.#log = log;
    this.#running = this.#run();
  }

  /** True while the lease was renewed within its TTL and every key is written. */
  get held(): boolean {
    const fresh = performance.now() - this.#renewedAt < this.#ttlS * 1000;
    return this.#id !== undefined && this.#dirty.size === 0 && fresh;
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
    const drop = this.#clients.run(
      (client) => client.delete().key(key).exec(),
      `delete ${key}`,
      this.#stepMs(),
    );
    await drop.catch((error) => {
      this.#log.warn({ err: error, key }, 'key could not be deleted; giving up the lease instead');
      this.#id = undefined;
      this.#wake();
    });
  }

  /** Renews the lease no more: its keys go when it runs out. */
  async abandon(): Promise<void> {
    this.#closed = true;
    this.#wake();
    await this.#running;
  }

  /** Revokes the lease, which deletes its keys: an orderly goodbye. */
  async close(): Promise<void> {
    if (this.#closed) return this.#running;
    await this.abandon();
    const id = this.#id;
    this.#id = undefined;
    if (id === undefined) return;
    const revoke = this.#clients.run(
      (client) => client.leaseClient.leaseRevoke({ ID: id }),
      'revoke',
      this.#stepMs(),
    );
    await revoke.catch(() => {});
  }

  #stepMs(): number {
    return (this.#ttlS * 1000) / 3;
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      let pause = this.#stepMs();
      try {
        await (this.#id === undefined ? this.#grant() : this.#renew(this.#id));
        await this.#write();
      } catch (error) {
        if (error instanceof EtcdLeaseInvalidError) this.#id = undefined;
        this.#log.debug({ err: error, lease: this.#name }, 'lease could not be kept; trying again');
        pause = RETRY_MS;
      }
      await this.#pause(pause);
    }
  }

  async #renew(id: string): Promise<void> {
    const asked = performance.now();
    await this.#clients.run((client) => renewLease(client, id), 'lease renewal', this.#stepMs());
    this.#renewedAt = asked;
  }

  async #grant(): Promise<void> {
    const asked = performance.now();
    const id = await this.#clients.run(
      (client) => grantLease(client, this.#ttlS),
      'lease grant',
      this.#stepMs(),
    );
    if (this.#renewedAt > 0) this.#log.info({ lease: this.#name }, 'lease granted anew');
    this.#id = id;
    this.#renewedAt = asked;
    for (const key of this.#wanted.keys()) this.#dirty.add(key);
  }

  async #write(): Promise<void> {
    // A put while another is written must not wait for the next renewal: so until nothing is left.
    while (this.#dirty.size > 0 && !this.#closed) {
      for (const key of [...this.#dirty]) await this.#writeOne(key, this.#id);
    }
  }

  async #writeOne(key: string, id: string | undefined): Promise<void> {
    const value = this.#wanted.get(key);
    if (value !== undefined && id !== undefined) {
      const put = (client: EtcdClients['current']) => client.put(key).value(value).lease(id).exec();
      await this.#clients.run(put, `put ${key}`, this.#stepMs());
    }
    if (this.#wanted.get(key) === value) this.#dirty.delete(key);
  }

  #pause(ms: number): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#dirty.size > 0 ? Math.min(ms, RETRY_MS) : ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
