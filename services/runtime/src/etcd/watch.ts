import type { Etcd3, IKeyValue, Watcher } from 'etcd3';
import type { Logger } from 'pino';
import { withTimeout } from '../lifecycle.ts';
import type { EtcdClients } from './client.ts';

export interface WatchHandlers {
  /** All keys as they are now: at the start, and again whenever changes may have been missed. */
  onSnapshot(entries: Map<string, string>): void;
  onPut(key: string, value: string): void;
  onDelete(key: string): void;
}

const DEADLINE_MS = 2_000;
const RETRY_MS = 250;

/**
 * All keys under a prefix, for as long as wanted. A watch of etcd can end in
 * ways that look like silence: compaction, a server that was wiped and counts
 * revisions from the start again, a connection cut. So each time anything breaks,
 * the connection is thrown away and the keys are listed anew.
 */
export class PrefixWatch {
  readonly #clients: EtcdClients;
  readonly #prefix: string;
  readonly #handlers: WatchHandlers;
  readonly #log: Logger;
  #closed = false;
  #end: () => void = () => {};

  constructor(clients: EtcdClients, prefix: string, handlers: WatchHandlers, log: Logger) {
    this.#clients = clients;
    this.#prefix = prefix;
    this.#handlers = handlers;
    this.#log = log;
    void this.#run();
  }

  close(): void {
    this.#closed = true;
    this.#end();
  }

  /** Lists anew over a new connection. */
  renew(): void {
    this.#end();
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      const member = this.#clients.current;
      const client = this.#clients.open();
      try {
        await this.#follow(client);
      } catch (error) {
        this.#log.debug({ err: error, prefix: this.#prefix }, 'watch broke; listing anew');
        this.#clients.failed(member);
      } finally {
        client.close();
      }
      if (!this.#closed) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  async #follow(client: Etcd3): Promise<void> {
    const list = await withTimeout(
      client.getAll().prefix(this.#prefix).exec(),
      DEADLINE_MS,
      `list ${this.#prefix}`,
    );
    const watcher = client
      .watch()
      .prefix(this.#prefix)
      .startRevision(String(BigInt(list.header.revision) + 1n))
      .watcher();
    // Listening comes before the snapshot is handed over: nothing between the two is lost.
    const broken = this.#listen(watcher);
    if (this.#closed) return;
    this.#handlers.onSnapshot(new Map(list.kvs.map((kv) => [kv.key.toString(), kv.value.toString()])));
    await broken;
  }

  #listen(watcher: Watcher): Promise<void> {
    return new Promise((resolve) => {
      this.#end = resolve;
      watcher.on('put', (kv: IKeyValue) => this.#handlers.onPut(kv.key.toString(), kv.value.toString()));
      watcher.on('delete', (kv: IKeyValue) => this.#handlers.onDelete(kv.key.toString()));
      watcher.on('error', () => resolve());
      watcher.on('disconnected', () => resolve());
      watcher.on('end', () => resolve());
    });
  }
}
