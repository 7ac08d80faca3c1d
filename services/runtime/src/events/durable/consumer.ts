import { setTimeout as delay } from 'node:timers/promises';
import {
  AckPolicy,
  type Consumer,
  type ConsumerMessages,
  DeliverPolicy,
  type JsMsg,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/nats-core';
import { context } from '@opentelemetry/api';
import { CallmeshError } from '../../errors.ts';
import type { Component } from '../../lifecycle.ts';
import type { Nats } from '../../nats.ts';
import type { App } from '../../service.ts';
import { decode } from '../json.ts';
import { traceOf } from '../trace.ts';
import { batches } from './batches.ts';
import { ensureStream, type Family, subjectOf } from './family.ts';

const RETRY_MS = 250;
/** An event nobody acknowledged in this time is handed out again, milliseconds. */
const ACK_MS = 10_000;
/** Most events handed out and not acknowledged, of all replicas. */
const PENDING = 2_000;
/** Events handed to a batch handler at once, and how long is waited for more, milliseconds. */
const BATCH = 500;
const LINGER_MS = 20;
/** Longest pause between two attempts, milliseconds. */
const MOST_PAUSE_MS = 5_000;
/** Pauses before an event that fails alone comes again: 1 s, doubled each time, at most 10 minutes. */
const ASIDE_MS = 1_000;
const MOST_ASIDE_MS = 600_000;
/** After so many deliveries (three quarters of an hour) an event that fails alone is given up. */
const MOST_DELIVERIES = 14;

/** Takes events of one family from the stream, for all replicas that name the same durable. */
export interface EventConsumer extends Component {
  /** False while events are not to be had. */
  readonly live: boolean;
}

/** What is consumed, and for whom. */
export interface Subscription {
  /** Name the stream keeps the position under. */
  readonly durable: string;
  /** Only events of this name. */
  readonly event?: string | undefined;
}

/** An event on its way to a handler. */
interface Delivery<T> {
  readonly message: JsMsg;
  readonly event: T;
}

/**
 * Hands out events one by one, or `concurrency` at a time in no order, at least
 * once each; one whose handler throws comes again.
 */
export function consumeEach<T>(
  app: App,
  nats: Nats,
  family: Family<T>,
  { concurrency = 1, ...subscription }: Subscription & { readonly concurrency?: number | undefined },
  handler: (event: T) => Promise<void> | void,
): EventConsumer {
  const take = async ({ message, event }: Delivery<T>): Promise<void> => {
    try {
      await context.with(traceOf(message), () => handler(event));
      message.ack();
    } catch (error) {
      app.log.warn({ err: error, subject: message.subject }, 'event will come again');
      message.nak(RETRY_MS);
    }
  };
  return consumer(app, nats, family, subscription, async (messages) => {
    const underWay = new Set<Promise<void>>();
    for await (const message of messages) {
      for (const delivery of readable(app, family, [message])) {
        const taking: Promise<void> = take(delivery).finally(() => underWay.delete(taking));
        underWay.add(taking);
        if (underWay.size >= concurrency) await Promise.race(underWay);
      }
    }
    await Promise.all(underWay);
  });
}

/**
 * Hands out events in batches, at least once, and acknowledges a batch when its
 * handler is through. A handler that throws `unavailable`, `deadline` or
 * `conflict` gets the same batch again, for as long as that takes. Of a batch it
 * refuses for another reason each event is tried alone; one that fails alone comes
 * again later, and is given up at last, so that it holds up nobody.
 */
export function consumeBatches<T>(
  app: App,
  nats: Nats,
  family: Family<T>,
  subscription: Subscription,
  handler: (events: readonly T[]) => Promise<void>,
): EventConsumer {
  const stop = new AbortController();
  const aside = asideOf(app, subscription.durable);
  const handle = (list: readonly Delivery<T>[]) => handler(list.map(({ event }) => event));
  const take = async (list: readonly Delivery<T>[]): Promise<void> => {
    try {
      await persist(app, list, () => handle(list), stop.signal);
    } catch (error) {
      if (stop.signal.aborted) for (const { message } of list) message.nak();
      else if (list.length === 1) aside(list[0]!.message, error);
      else for (const one of list) await take([one]);
      return;
    }
    for (const { message } of list) message.ack();
  };
  const base = consumer(app, nats, family, subscription, async (messages) => {
    for await (const group of batches(messages, BATCH, LINGER_MS)) {
      const list = readable(app, family, group);
      if (list.length) await take(list);
    }
  });
  return {
    name: base.name,
    get live() {
      return base.live;
    },
    start: () => base.start!(),
    async stop() {
      stop.abort();
      await base.stop!();
    },
  };
}

/** Works until it succeeds or fails for good; tells the stream meanwhile that the events are in hand. */
async function persist<T>(
  app: App,
  list: readonly Delivery<T>[],
  work: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const inHand = setInterval(() => {
    for (const { message } of list) message.working();
  }, ACK_MS / 3);
  try {
    for (let pause = RETRY_MS; ; pause = Math.min(pause * 2, MOST_PAUSE_MS)) {
      try {
        return await work();
      } catch (error) {
        if (!isPassing(error)) throw error;
        app.log.debug({ err: error, events: list.length }, 'events wait to be handled');
        await delay(pause, undefined, { signal });
      }
    }
  } finally {
    clearInterval(inHand);
  }
}

function isPassing(error: unknown): boolean {
  return error instanceof CallmeshError && ['unavailable', 'deadline', 'conflict'].includes(error.code);
}

/** Puts an event aside: it comes again later, and is given up at last. It stays in the stream to be looked at. */
function asideOf(app: App, durable: string): (message: JsMsg, error: unknown) => void {
  const refused = app.meter.createCounter('callmesh_events_refused', {
    description: 'events that were given up because handling each of them alone kept failing',
  });
  return (message, error) => {
    const { deliveryCount, streamSequence } = message.info;
    const about = { err: error, durable, subject: message.subject, position: streamSequence };
    if (deliveryCount >= MOST_DELIVERIES) {
      refused.add(1, { durable });
      app.log.error(about, 'event was given up');
      message.term('kept failing');
      return;
    }
    app.log.warn(about, 'event will come again');
    message.nak(Math.min(ASIDE_MS * 2 ** (deliveryCount - 1), MOST_ASIDE_MS));
  };
}

/** What of these messages is an event; the others never come again. */
function readable<T>(app: App, family: Family<T>, messages: readonly JsMsg[]): Delivery<T>[] {
  return messages.flatMap((message) => {
    try {
      return [{ message, event: decode(family.type, message) }];
    } catch (error) {
      app.log.error({ err: error, subject: message.subject }, `not a ${family.name} event`);
      message.term(`not a ${family.name} event`);
      return [];
    }
  });
}

/** Keeps `work` supplied with messages; stream and consumer are made anew when NATS lost them. */
function consumer<T>(
  app: App,
  nats: Nats,
  family: Family<T>,
  subscription: Subscription,
  work: (messages: ConsumerMessages) => Promise<void>,
): EventConsumer {
  const { durable } = subscription;
  const stop = new AbortController();
  let live = false;
  let closeMessages: (() => Promise<unknown>) | undefined;
  let running: Promise<void> | undefined;

  async function run(): Promise<void> {
    while (!stop.signal.aborted) {
      try {
        const opened = await open(nats, family, subscription);
        const messages = await opened.consume({
          max_messages: BATCH,
          expires: 5_000,
          abort_on_missing_resource: true,
        });
        closeMessages = () => messages.close();
        live = true;
        await work(messages).finally(closeMessages);
      } catch (error) {
        if (!stop.signal.aborted) app.log.debug({ err: error, durable }, 'events are not to be had');
      }
      live = false;
      await delay(RETRY_MS, undefined, { signal: stop.signal }).catch(() => {});
    }
  }

  return {
    name: `${family.name}-events-${durable}`,
    get live() {
      return live;
    },
    async start() {
      running = run();
    },
    async stop() {
      stop.abort();
      await closeMessages?.();
      // What is in hand is finished: the parts it stands on are stopped after this one.
      await running;
    },
  };
}

async function open<T>(nats: Nats, family: Family<T>, { durable, event }: Subscription): Promise<Consumer> {
  const manager = await ensureStream(nats, family);
  await manager.consumers.add(family.stream, {
    durable_name: durable,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    ack_wait: nanos(ACK_MS),
    max_ack_pending: PENDING,
    ...(event !== undefined && { filter_subject: subjectOf(family, undefined, event) }),
  });
  return nats.js.consumers.get(family.stream, durable);
}
