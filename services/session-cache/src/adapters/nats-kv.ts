import { CallmeshError, type Component, fail } from '@callmesh/runtime';
import { Empty, headers, type NatsConnection } from '@nats-io/nats-core';
import type { Feed, FeedingStore, Position, Stored } from '../domain/store.ts';
import { JetStreamRefusal, jsApi, parseAnswer, type StreamInfo } from './nats-api.ts';
import { follow } from './nats-feed.ts';

export interface NatsBucketOptions {
  readonly bucket: string;
  /** Copies JetStream keeps. */
  readonly replicas: number;
  /** Most a write or read may take, milliseconds: a caller of ours waits for it while a phone rings. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 300;
/** When the client library itself gives up; by then nobody waits any more. */
const LATE_MS = 5_000;
const PROBE_MS = 100;
const RETRY_MS = 200;

/** JetStream error codes (server/errors.json). */
const WRONG_LAST_SEQUENCE = new Set([10071, 10164]);
const NO_MESSAGE = 10037;
const STREAM_NOT_FOUND = 10059;
const STREAM_NAME_IN_USE = 10058;

const EXPECTED = 'Nats-Expected-Last-Subject-Sequence';
const OPERATION = 'KV-Operation';

/**
 * A JetStream KV bucket (laid out so that `nats kv` reads it). Writes carry the
 * revision they expect; reads go to the stream's leader, because direct gets may
 * be answered by a copy that is behind one's own write.
 */
export class NatsBucket implements FeedingStore, Component {
  readonly name: string;
  readonly #bucket: string;
  readonly #replicas: number;
  readonly #timeoutMs: number;
  readonly #connection: () => NatsConnection | undefined;
  readonly #stop = new AbortController();
  /** When the stream we know was made. */
  #created: string | undefined;
  #open = false;
  #probing = false;
  /** Aborts when touch with the server is lost: what was asked before is not answered any more. */
  #touch = AbortSignal.abort();
  /** When a request was last answered: a slow server is not a dead one. */
  #answeredAt = 0;

  /** `connection` gives the connection once there is one; it is expected to reconnect for ever. */
  constructor(connection: () => NatsConnection | undefined, options: NatsBucketOptions) {
    this.name = `bucket-${options.bucket}`;
    this.#connection = connection;
    this.#bucket = options.bucket;
    this.#replicas = options.replicas;
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  }

  get live(): boolean {
    return this.#open && !this.#probing;
  }

  feed(feed: Feed): void {
    void this.#run(feed);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#open = false;
  }

  async #run(feed: Feed): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const round = new AbortController();
      const signal = AbortSignal.any([round.signal, this.#stop.signal]);
      const nc = this.#connection();
      const reason = nc ? await this.#round(nc, feed, signal, round) : 'not connected yet';
      this.#open = false;
      round.abort();
      if (this.#stop.signal.aborted) return;
      feed.silent(reason);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  /** Follows until touch is lost; resolves with the reason. */
  async #round(nc: NatsConnection, feed: Feed, signal: AbortSignal, round: AbortController): Promise<string> {
    try {
      // Nothing may be asked of a connection that is down: it would wait in a buffer.
      await nc.rtt();
      void endOnDisconnect(nc, round);
      const info = await this.#ensure(nc);
      const reborn = this.#created !== undefined && this.#created !== info.created;
      this.#created = info.created;
      this.#touch = signal;
      this.#open = true;
      this.#probing = false;
      feed.began(positionOf(info), reborn);
      return await follow(nc, this.#bucket, feed, signal);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  async #ensure(nc: NatsConnection): Promise<StreamInfo> {
    const name = `KV_${this.#bucket}`;
    try {
      return await jsApi<StreamInfo>(nc, `STREAM.INFO.${name}`);
    } catch (error) {
      if (!(error instanceof JetStreamRefusal) || error.errCode !== STREAM_NOT_FOUND) throw error;
    }
    try {
      return await jsApi<StreamInfo>(nc, `STREAM.CREATE.${name}`, streamConfig(this.#bucket, this.#replicas));
    } catch (error) {
      // Another replica made it at the same moment, with other settings.
      if (!(error instanceof JetStreamRefusal) || error.errCode !== STREAM_NAME_IN_USE) throw error;
      return jsApi<StreamInfo>(nc, `STREAM.INFO.${name}`);
    }
  }

  async create(key: string, value: Uint8Array): Promise<number | undefined> {
    const written = await this.#write(key, value, 0);
    if (written !== undefined) return written;
    const stored = await this.read(key);
    if (!stored || stored.value) return undefined;
    return this.#write(key, value, stored.revision);
  }

  update(key: string, value: Uint8Array, revision: number): Promise<number | undefined> {
    return this.#write(key, value, revision);
  }

  remove(key: string, revision: number): Promise<number | undefined> {
    return this.#write(key, undefined, revision);
  }

  async #write(key: string, value: Uint8Array | undefined, expected: number): Promise<number | undefined> {
    const head = headers();
    head.set(EXPECTED, String(expected));
    if (value === undefined) head.set(OPERATION, 'DEL');
    const subject = `$KV.${this.#bucket}.${key}`;
    try {
      const answer = await this.#guarded((nc) =>
        nc.request(subject, value ?? Empty, { timeout: LATE_MS, headers: head }),
      );
      return parseAnswer<{ seq: number }>(answer.string()).seq;
    } catch (error) {
      if (error instanceof JetStreamRefusal && WRONG_LAST_SEQUENCE.has(error.errCode)) return undefined;
      throw unavailable(error);
    }
  }

  async read(key: string): Promise<Stored | undefined> {
    const ask = { last_by_subj: `$KV.${this.#bucket}.${key}` };
    try {
      const { message } = await this.#api<{ message: { seq: number; data?: string; hdrs?: string } }>(
        'STREAM.MSG.GET',
        ask,
      );
      const removed = message.hdrs && Buffer.from(message.hdrs, 'base64').includes(OPERATION);
      return {
        value: removed ? undefined : Buffer.from(message.data ?? '', 'base64'),
        revision: message.seq,
      };
    } catch (error) {
      if (error instanceof JetStreamRefusal && error.errCode === NO_MESSAGE) return undefined;
      throw unavailable(error);
    }
  }

  async position(): Promise<Position> {
    try {
      return positionOf(await this.#api<StreamInfo>('STREAM.INFO'));
    } catch (error) {
      throw unavailable(error);
    }
  }

  async compact(below: number): Promise<void> {
    try {
      await this.#api('STREAM.PURGE', { seq: below });
    } catch (error) {
      throw unavailable(error);
    }
  }

  #api<T>(what: string, body?: unknown): Promise<T> {
    return this.#guarded((nc) => jsApi<T>(nc, `${what}.KV_${this.#bucket}`, body, LATE_MS));
  }

  /**
   * Runs a request unless the store is known to be away. One that is not answered
   * in time, while no other was either, starts a probe.
   */
  async #guarded<T>(request: (nc: NatsConnection) => Promise<T>): Promise<T> {
    const nc = this.#connection();
    if (!nc || !this.live) throw fail('unavailable', 'NATS is away');
    const asked = performance.now();
    try {
      const answer = await patiently(request(nc), this.#timeoutMs, this.#touch);
      this.#answeredAt = performance.now();
      return answer;
    } catch (error) {
      if (!(error instanceof JetStreamRefusal) && this.#answeredAt < asked) void this.#probe(nc);
      throw error;
    }
  }

  /** Until the store answers again, calls fail at once instead of each waiting for its timeout. */
  async #probe(nc: NatsConnection): Promise<void> {
    if (this.#probing) return;
    this.#probing = true;
    while (this.#probing && this.#open) {
      try {
        await jsApi(nc, `STREAM.INFO.KV_${this.#bucket}`, {}, this.#timeoutMs);
        this.#probing = false;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, PROBE_MS));
      }
    }
  }
}

/**
 * The answer, or a failure after `ms` or when touch is lost. A process that was
 * itself held up looks once more before it blames the server: timers run before
 * what has arrived is read.
 */
function patiently<T>(answer: Promise<T>, ms: number, touch: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const giveUp = () => reject(new Error(`no answer within ${ms} ms`));
    const timer = setTimeout(() => setImmediate(() => setTimeout(giveUp, 0)), ms);
    const onLost = () => reject(new Error('the connection was lost'));
    touch.addEventListener('abort', onLost, { once: true });
    answer.then(resolve, reject).finally(() => {
      clearTimeout(timer);
      touch.removeEventListener('abort', onLost);
    });
  });
}

async function endOnDisconnect(nc: NatsConnection, round: AbortController): Promise<void> {
  for await (const status of nc.status()) {
    if (round.signal.aborted) return;
    if (status.type === 'disconnect' || status.type === 'close') return round.abort();
  }
}

function positionOf({ state }: StreamInfo): Position {
  return { first: state.first_seq, last: state.last_seq, count: state.messages };
}

function unavailable(error: unknown): CallmeshError {
  if (error instanceof CallmeshError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return fail('unavailable', `NATS does not answer: ${reason}`, { cause: error });
}

function streamConfig(bucket: string, replicas: number): object {
  return {
    name: `KV_${bucket}`,
    subjects: [`$KV.${bucket}.>`],
    retention: 'limits',
    storage: 'file',
    discard: 'new',
    num_replicas: replicas,
    max_msgs_per_subject: 1,
    max_msgs: -1,
    max_bytes: -1,
    max_age: 0,
    max_consumers: -1,
    max_msg_size: -1,
    duplicate_window: 120_000_000_000,
    allow_rollup_hdrs: true,
    allow_direct: true,
    deny_delete: true,
    deny_purge: false,
  };
}
