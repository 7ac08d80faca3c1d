import { noop } from 'cockatiel';
import { ClientClosedError, Etcd3, GRPCCancelledError, isRecoverableError } from 'etcd3';
import type { CommonConfig } from '../config.ts';
import { CallmeshError } from '../errors.ts';
import { withTimeout } from '../lifecycle.ts';
import { etcdAccess } from '../stores.ts';

/**
 * Pings go only with calls under way, and no oftener than etcd allows without
 * asking for calm (grpc-keepalive-min-time, 5 s).
 */
const GRPC = {
  'grpc.keepalive_time_ms': 5_500,
  'grpc.keepalive_timeout_ms': 1_000,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
};

/** How long a connection is kept after it was left, milliseconds. */
const LEFT_MS = 2_000;

/**
 * Connections to etcd, one member at a time. etcd3's own retries and circuit
 * breakers are off: they hide for seconds that a server is back, and they pick
 * members by chance, so that one frozen member of three spoils every third
 * operation. Here a member that failed is left for the next, by a new connection:
 * an old one may be dead without knowing.
 */
export class EtcdClients {
  readonly #endpoints: readonly string[];
  readonly #access: ReturnType<typeof etcdAccess>;
  readonly #left = new Set<Etcd3>();
  #index: number;
  #current: Etcd3;

  constructor({ endpoints, ...access }: CommonConfig['etcd']) {
    this.#endpoints = endpoints;
    this.#access = etcdAccess(access);
    // Instances start at different members, so that these share the load.
    this.#index = Math.floor(Math.random() * endpoints.length);
    this.#current = this.open();
  }

  get current(): Etcd3 {
    return this.#current;
  }

  /** A connection of its own to the member that is in use, for a watch; the caller closes it. */
  open(): Etcd3 {
    const hosts = this.#endpoints[this.#index % this.#endpoints.length]!;
    return new Etcd3({
      hosts,
      ...this.#access,
      dialTimeout: 2_000,
      faultHandling: { host: () => noop, global: noop },
      grpcOptions: GRPC,
    });
  }

  /** Leaves the member in use for the next one, unless somebody did so already. */
  failed(client: Etcd3): void {
    if (client !== this.#current) return;
    this.#index += 1;
    this.#current = this.open();
    // What others have under way on it may still succeed.
    this.#left.add(client);
    setTimeout(() => this.#drop(client), LEFT_MS).unref();
  }

  /**
   * Runs an operation that may be repeated at one member after another, each
   * getting its share of the time. Errors: what the last one failed with; what
   * etcd itself refuses is not tried elsewhere.
   */
  async run<T>(operation: (client: Etcd3) => Promise<T>, what: string, deadlineMs: number): Promise<T> {
    const until = performance.now() + deadlineMs;
    for (let left = this.#endpoints.length; ; left--) {
      const client = this.#current;
      try {
        const ms = (until - performance.now()) / left;
        return await withTimeout(operation(client), Math.max(ms, 0), what);
      } catch (error) {
        if (!isConnectionFault(error)) throw error;
        this.failed(client);
        if (left === 1) throw error;
      }
    }
  }

  close(): void {
    for (const client of [...this.#left, this.#current]) this.#drop(client);
  }

  #drop(client: Etcd3): void {
    this.#left.delete(client);
    client.close();
  }
}

function isConnectionFault(error: unknown): boolean {
  if (error instanceof CallmeshError) return error.code === 'deadline';
  // The last two: somebody else saw the member fail and left it while this was under way.
  const abandoned = error instanceof ClientClosedError || error instanceof GRPCCancelledError;
  return abandoned || (error instanceof Error && isRecoverableError(error));
}
