import {
  AckPolicy,
  type Consumer,
  DeliverPolicy,
  JetStreamApiError,
  type JetStreamManager,
  type JsMsg,
  jetstreamManager,
  RetentionPolicy,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/nats-core';
import type { Component } from '../lifecycle.ts';
import type { Nats } from '../nats.ts';
import type { App } from '../service.ts';
import { decode, encode, type JsonMessage } from './json.ts';

/** A family of events that must not be lost: kept in a JetStream stream of its own. */
export interface EventStream<T> {
  /** Name of the stream, upper case. */
  readonly stream: string;
  /** What its events are, for people: "call events". */
  readonly what: string;
  /** Subjects are "<subject>.<...>". */
  readonly subject: string;
  /** How long events are kept for whoever was away, milliseconds. */
  readonly keptMs: number;
  /** Events a publisher keeps while NATS is away; beyond it the oldest goes, counted. */
  readonly outbox: number;
  readonly type: JsonMessage<T>;
  /** What follows the subject's dot. */
  subjectOf(event: T): string;
  /** The same for the same event, so that one that is sent again is recognised. */
  idOf(event: T): string;
  /** Fields of a log line about an event. */
  describe(event: T): Record<string, unknown>;
}

/** Within this an event that is sent again is recognised by its id, milliseconds. */
const DEDUPLICATED_MS = 2 * 60_000;
const PUBLISH_MS = 2_000;
const RETRY_MS = 250;
/** Events under way at once: order within one call is kept by the consumer's sorting on sequence. */
const IN_FLIGHT = 64;
/** JetStream's error code for a stream that exists and differs. */
const OTHER_CONFIG = 10058;

async function ensureStream<T>(
  nats: Nats,
  { stream, subject, keptMs }: EventStream<T>,
): Promise<JetStreamManager> {
  const manager = await jetstreamManager(nats.connection, { timeout: PUBLISH_MS });
  const config = {
    subjects: [`${subject}.>`],
    retention: RetentionPolicy.Limits,
    max_age: nanos(keptMs),
    duplicate_window: nanos(DEDUPLICATED_MS),
    num_replicas: nats.replicas,
  };
  try {
    await manager.streams.add({ name: stream, ...config });
  } catch (error) {
    // It is there with another configuration (of another release, say): bring it up to ours.
    if (!(error instanceof JetStreamApiError) || error.code !== OTHER_CONFIG) throw error;
    await manager.streams.update(stream, config);
  }
  return manager;
}

/** Sends events so that each arrives, also those of a time when NATS was away, and once. */
export class StreamPublisher<T> implements Component {
  readonly name: string;
  readonly #app: App;
  readonly #nats: Nats;
  readonly #events: EventStream<T>;
  readonly #outbox: T[] = [];
  readonly #stop = new AbortController();
  #dropped = 0;
  /** True while the stream is known to be there. */
  #ensured = false;
  #running: Promise<void> | undefined;

  constructor(app: App, nats: Nats, events: EventStream<T>) {
    this.name = `${events.stream.toLowerCase()}-publisher`;
    this.#app = app;
    this.#nats = nats;
    this.#events = events;
    nats.onHealth((connected) => connected && this.#kick());
  }

  /** Queues an event; never throws. */
  publish(event: T): void {
    const { what, outbox } = this.#events;
    this.#outbox.push(event);
    if (this.#outbox.length > outbox) {
      this.#outbox.shift();
      this.#dropped += 1;
      this.#app.degraded(
        what.replaceAll(' ', '-'),
        `${this.#dropped} ${what} were dropped while NATS was away`,
      );
    }
    this.#kick();
  }

  /** Sends what is queued, if there is somebody to send it to. */
  async drain(): Promise<void> {
    if (this.#nats.connected) await this.#running;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
  }

  get #hasWork(): boolean {
    return this.#outbox.length > 0 && this.#nats.connected && !this.#stop.signal.aborted;
  }

  #kick(): void {
    if (this.#running || !this.#hasWork) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      // What was queued while the last round was ending.
      this.#kick();
    });
  }

  async #run(): Promise<void> {
    while (this.#hasWork) {
      // Taken out while under way: what overflows meanwhile must not be taken for what was sent.
      const batch = this.#outbox.splice(0, IN_FLIGHT);
      const failed = await this.#sendAll(batch);
      if (failed.length === 0) continue;
      this.#outbox.unshift(...failed);
      this.#ensured = false;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  /** Sends a batch and returns what could not be sent. */
  async #sendAll(batch: readonly T[]): Promise<readonly T[]> {
    const { what } = this.#events;
    try {
      if (!this.#ensured) await ensureStream(this.#nats, this.#events);
      this.#ensured = true;
    } catch (error) {
      this.#app.log.debug({ err: error }, `${what} wait for JetStream`);
      return batch;
    }
    const results = await Promise.allSettled(batch.map((event) => this.#send(event)));
    const failed = batch.filter((_, index) => results[index]!.status === 'rejected');
    const reason = results.find((result) => result.status === 'rejected')?.reason;
    if (reason) this.#app.log.debug({ err: reason, failed: failed.length }, `${what} will be sent again`);
    return failed;
  }

  async #send(event: T): Promise<void> {
    const { subject, subjectOf, idOf, type } = this.#events;
    await this.#nats.js.publish(`${subject}.${subjectOf(event)}`, encode(type, event), {
      msgID: idOf(event),
      timeout: PUBLISH_MS,
    });
  }
}

export interface StreamConsumer extends Component {
  readonly live: boolean;
}

/**
 * Hands every event to `handler`, at least once; one of all replicas that name
 * the same `durable` gets it. A handler that throws gets the event again. Stream
 * and consumer are made anew when NATS lost them.
 */
export function consumeStream<T>(
  app: App,
  nats: Nats,
  events: EventStream<T>,
  durable: string,
  handler: (event: T) => Promise<void> | void,
): StreamConsumer {
  const { stream, what, type, describe } = events;
  const stop = new AbortController();
  let live = false;
  let closeMessages: (() => Promise<unknown>) | undefined;

  async function open(): Promise<Consumer> {
    const manager = await ensureStream(nats, events);
    await manager.consumers.add(stream, {
      durable_name: durable,
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      ack_wait: nanos(10_000),
      max_ack_pending: 2_000,
    });
    return nats.js.consumers.get(stream, durable);
  }

  async function take(message: JsMsg): Promise<void> {
    let event: T;
    try {
      event = decode(type, message);
    } catch (error) {
      app.log.error({ err: error, subject: message.subject }, `not one of the ${what}`);
      message.term(`not one of the ${what}`);
      return;
    }
    try {
      await handler(event);
      message.ack();
    } catch (error) {
      app.log.warn({ err: error, ...describe(event) }, `one of the ${what} will come again`);
      message.nak(RETRY_MS);
    }
  }

  async function run(): Promise<void> {
    while (!stop.signal.aborted) {
      try {
        const consumer = await open();
        const messages = await consumer.consume({
          max_messages: 500,
          expires: 5_000,
          abort_on_missing_resource: true,
        });
        closeMessages = () => messages.close();
        live = true;
        for await (const message of messages) await take(message);
      } catch (error) {
        if (!stop.signal.aborted) app.log.debug({ err: error, durable }, `${what} are not to be had`);
      }
      live = false;
      if (!stop.signal.aborted) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  return {
    name: `${stream.toLowerCase()}-${durable}`,
    get live() {
      return live;
    },
    async start() {
      void run();
    },
    async stop() {
      stop.abort();
      await closeMessages?.();
    },
  };
}
