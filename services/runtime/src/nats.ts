import { type JetStreamClient, jetstream } from '@nats-io/jetstream';
import { AuthorizationError, type Msg, type NatsConnection } from '@nats-io/nats-core';
import { connect } from '@nats-io/transport-node';
import type { Counter } from '@opentelemetry/api';
import type { CommonConfig } from './config.ts';
import { fail } from './errors.ts';
import type { Component } from './lifecycle.ts';
import type { App } from './service.ts';
import { credentialsOf, natsAccess } from './stores.ts';

/** How long start waits for a server; a service starts without one. */
const FIRST_CONNECT_MS = 2_000;
/** A server that misses two of these is taken for gone. */
const PING_MS = 1_000;
const MAX_RECONNECT_MS = 1_000;

type Handler = (message: Msg) => void;
interface Subscription {
  readonly subject: string;
  readonly queue: string | undefined;
  readonly handler: Handler;
  closed: boolean;
  close(): void;
}

/**
 * The connection to NATS: made when there is a server, and made again for ever.
 * Publishing never throws and never waits: what cannot be sent now is dropped and
 * counted, because a load report that is late is worth nothing. What must not be
 * lost goes through JetStream (see events/call.ts).
 */
export class Nats implements Component {
  readonly name = 'nats';
  readonly replicas: number;
  #connection: NatsConnection | undefined;
  #connected = false;
  #stopping = false;
  /** Whether the first attempt ended with a reason to show. */
  #refused = false;
  /** When the server fell silent, Unix milliseconds. */
  #silentSince: number | undefined;
  readonly #app: App;
  readonly #config: CommonConfig['nats'];
  readonly #access: ReturnType<typeof natsAccess>;
  readonly #subscriptions = new Set<Subscription>();
  readonly #listeners = new Set<(connected: boolean) => void>();
  readonly #dropped: Counter;

  constructor(app: App, config: CommonConfig['nats']) {
    this.#app = app;
    this.#config = config;
    this.#access = natsAccess(config);
    this.replicas = config.replicas;
    this.#silentSince = Date.now();
    this.#dropped = app.meter.createCounter('callmesh_nats_dropped', {
      description: 'core messages not sent because NATS was away',
    });
  }

  get connected(): boolean {
    return this.#connected;
  }

  get silentSince(): number | undefined {
    return this.#silentSince;
  }

  /** The connection once there was one; it may be reconnecting. Errors: unavailable before the first. */
  get connection(): NatsConnection {
    if (!this.#connection) throw fail('unavailable', 'NATS was never reached');
    return this.#connection;
  }

  /** JetStream over the connection. Errors: unavailable before the first connection. */
  get js(): JetStreamClient {
    return jetstream(this.connection);
  }

  /** Resolves once connected, or after two seconds: a service starts without NATS. */
  async start(): Promise<void> {
    const first = this.#connectForEver();
    let timer: NodeJS.Timeout | undefined;
    const waited = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, FIRST_CONNECT_MS);
    });
    await Promise.race([first, waited]);
    clearTimeout(timer);
    if (!this.#connected && !this.#refused) this.#health(false, 'not reached yet');
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    // Closing flushes nothing by itself; what was published before shutdown should still arrive.
    if (this.#connected) await this.#connection?.flush().catch(() => {});
    await this.#connection?.close();
  }

  /** Publishes if connected; true when it was handed over. */
  publish(subject: string, payload: string | Uint8Array): boolean {
    if (!this.#connected || !this.#connection) {
      this.#dropped.add(1);
      return false;
    }
    try {
      this.#connection.publish(subject, payload);
      return true;
    } catch {
      this.#dropped.add(1);
      return false;
    }
  }

  /** Calls `handler` for each message, now and after every reconnect; what it throws is logged. */
  subscribe(
    subject: string,
    handler: Handler,
    { queue }: { readonly queue?: string } = {},
  ): { close(): void } {
    const subscription: Subscription = { subject, queue, handler, closed: false, close: () => {} };
    this.#subscriptions.add(subscription);
    if (this.#connection) this.#open(subscription);
    return {
      close: () => {
        subscription.closed = true;
        this.#subscriptions.delete(subscription);
        subscription.close();
      },
    };
  }

  /** Calls `listener` at each change, and once now, until what it returns is called. */
  onHealth(listener: (connected: boolean) => void): () => void {
    this.#listeners.add(listener);
    listener(this.#connected);
    return () => this.#listeners.delete(listener);
  }

  /** What ends an attempt for good (credentials refused, say) may be mended at the server: so try on. */
  async #connectForEver(): Promise<void> {
    while (!this.#stopping && !this.#connection) {
      try {
        await this.#connect();
      } catch (error) {
        this.#refused = true;
        this.#health(false, this.#reasonOf(error as Error));
        await new Promise((resolve) => setTimeout(resolve, reconnectDelay()));
      }
    }
  }

  async #connect(): Promise<void> {
    const connection = await connect({
      servers: this.#config.servers,
      ...this.#access,
      name: `${this.#app.name}/${this.#app.instance}`,
      maxReconnectAttempts: -1,
      // Refused credentials may be mended at the server, too.
      ignoreAuthErrorAbort: true,
      pingInterval: PING_MS,
      maxPingOut: 2,
      timeout: 2_000,
      // Each request would make an Error with its stack, in case it fails: a twentieth of session-cache's time.
      noAsyncTraces: true,
      reconnectDelayHandler: reconnectDelay,
    });
    this.#connection = connection;
    if (this.#stopping) return connection.close();
    for (const subscription of this.#subscriptions) this.#open(subscription);
    void this.#watch(connection);
    this.#health(true, '');
  }

  /** What the configuration is to blame for names its key. */
  #reasonOf(error: Error): string {
    if (!(error instanceof AuthorizationError)) return error.message;
    const [key] = credentialsOf(this.#config);
    if (!key) return 'it wants nats.user, token, nkey_file or creds_file';
    return key === 'user' ? 'it refuses nats.user with this nats.password' : `it refuses nats.${key}`;
  }

  async #watch(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type === 'disconnect' || status.type === 'staleConnection') this.#health(false, status.type);
      else if (status.type === 'reconnect') this.#health(true, '');
      else if (status.type === 'error' && status.error instanceof AuthorizationError)
        this.#health(false, this.#reasonOf(status.error));
      else if (status.type === 'error') this.#app.log.warn({ err: status.error }, 'NATS error');
    }
  }

  #open(subscription: Subscription): void {
    const { subject, queue, handler } = subscription;
    const live = this.#connection!.subscribe(subject, {
      ...(queue !== undefined && { queue }),
      callback: (error, message) => {
        if (error || subscription.closed) return;
        try {
          handler(message);
        } catch (thrown) {
          this.#app.log.error({ err: thrown, subject: message.subject }, 'message handler failed');
        }
      },
    });
    subscription.close = () => live.unsubscribe();
  }

  #health(connected: boolean, reason: string): void {
    if (this.#stopping) return;
    this.#connected = connected;
    this.#silentSince = connected ? undefined : (this.#silentSince ?? Date.now());
    this.#app.degraded('nats', connected ? null : `NATS is away (${reason})`);
    for (const listener of this.#listeners) listener(connected);
  }
}

function reconnectDelay(): number {
  return 100 + Math.random() * (MAX_RECONNECT_MS - 100);
}
