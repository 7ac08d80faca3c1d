import { CallEvent } from '@callmesh/proto/call';
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
import { decode, encode, token } from './json.ts';

/** callmesh.call.<tenant>.<event> in JetStream stream CALLS. */
const SUBJECT = 'callmesh.call';
const STREAM = 'CALLS';
/** How long events are kept for whoever was away, milliseconds. */
const KEPT_MS = 24 * 3_600_000;
/** Within this an event that is sent again is recognised by its id, milliseconds. */
const DEDUPLICATED_MS = 2 * 60_000;
const PUBLISH_MS = 2_000;
const RETRY_MS = 250;
/** Events a publisher keeps while NATS is away; beyond it the oldest goes, counted. */
const OUTBOX = 20_000;
/** Events under way at once: order within one call is kept by the consumer's sorting on sequence. */
const IN_FLIGHT = 64;
/** JetStream's error code for a stream that exists and differs. */
const OTHER_CONFIG = 10058;

async function ensureStream(nats: Nats): Promise<JetStreamManager> {
  const manager = await jetstreamManager(nats.connection, { timeout: PUBLISH_MS });
  const config = {
    subjects: [`${SUBJECT}.>`],
    retention: RetentionPolicy.Limits,
    max_age: nanos(KEPT_MS),
    duplicate_window: nanos(DEDUPLICATED_MS),
    num_replicas: nats.replicas,
  };
  try {
    await manager.streams.add({ name: STREAM, ...config });
  } catch (error) {
    // It is there with another configuration (of another release, say): bring it up to ours.
    if (!(error instanceof JetStreamApiError) || error.code !== OTHER_CONFIG) throw error;
    await manager.streams.update(STREAM, config);
  }
  return manager;
}

/** Sends call events so that each arrives, also those of a time when NATS was away, and once. */
export class CallPublisher implements Component {
  readonly name = 'call-publisher';
  readonly #app: App;
  readonly #nats: Nats;
  readonly #outbox: CallEvent[] = [];
  readonly #stop = new AbortController();
  #dropped = 0;
  /** True while the stream is known to be there. */
  #ensured = false;
  #running: Promise<void> | undefined;

  constructor(app: App, nats: Nats) {
    this.#app = app;
    this.#nats = nats;
    nats.onHealth((connected) => connected && this.#kick());
  }

  /** Queues an event; never throws. */
  publish(event: CallEvent): void {
    this.#outbox.push(event);
    if (this.#outbox.length > OUTBOX) {
      this.#outbox.shift();
      this.#dropped += 1;
      this.#app.degraded('call-events', `${this.#dropped} call events were dropped while NATS was away`);
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
  async #sendAll(batch: readonly CallEvent[]): Promise<readonly CallEvent[]> {
    try {
      if (!this.#ensured) await ensureStream(this.#nats);
      this.#ensured = true;
    } catch (error) {
      this.#app.log.debug({ err: error }, 'call events wait for JetStream');
      return batch;
    }
    const results = await Promise.allSettled(batch.map((event) => this.#send(event)));
    const failed = batch.filter((_, index) => results[index]!.status === 'rejected');
    const reason = results.find((result) => result.status === 'rejected')?.reason;
    if (reason) this.#app.log.debug({ err: reason, failed: failed.length }, 'call events will be sent again');
    return failed;
  }

  async #send(event: CallEvent): Promise<void> {
    const subject = `${SUBJECT}.${token(event.tenantId)}.${token(event.event)}`;
    const msgID = `${event.nodeEpoch}-${event.sequence}-${event.event}`;
    await this.#nats.js.publish(subject, encode(CallEvent, event), { msgID, timeout: PUBLISH_MS });
  }
}

export interface CallConsumer extends Component {
  readonly live: boolean;
}

/**
 * Hands every call event to `handler`, at least once; one of all replicas that
 * name the same `durable` gets it. A handler that throws gets the event again.
 * Stream and consumer are made anew when NATS lost them.
 */
export function consumeCall(
  app: App,
  nats: Nats,
  durable: string,
  handler: (event: CallEvent) => Promise<void> | void,
): CallConsumer {
  const stop = new AbortController();
  let live = false;
  let closeMessages: (() => Promise<unknown>) | undefined;

  async function open(): Promise<Consumer> {
    const manager = await ensureStream(nats);
    await manager.consumers.add(STREAM, {
      durable_name: durable,
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      ack_wait: nanos(10_000),
      max_ack_pending: 2_000,
    });
    return nats.js.consumers.get(STREAM, durable);
  }

  async function take(message: JsMsg): Promise<void> {
    let event: CallEvent;
    try {
      event = decode(CallEvent, message);
    } catch (error) {
      app.log.error({ err: error, subject: message.subject }, 'not a call event');
      message.term('not a call event');
      return;
    }
    try {
      await handler(event);
      message.ack();
    } catch (error) {
      app.log.warn({ err: error, event: event.event, call_id: event.callId }, 'call event will come again');
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
        if (!stop.signal.aborted) app.log.debug({ err: error, durable }, 'call events are not to be had');
      }
      live = false;
      if (!stop.signal.aborted) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  return {
    name: `calls-${durable}`,
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
