import { CallEvent } from '@callmesh/proto/call';
import type { Nats } from '../nats.ts';
import type { App } from '../service.ts';
import { consumeBatches, consumeEach, type EventConsumer } from './durable/consumer.ts';
import { type Family, subjectOf } from './durable/family.ts';
import { DurablePublisher } from './durable/publisher.ts';
import { type From, type Reading, readFrom } from './durable/reading.ts';
import { decode } from './json.ts';

/** callmesh.call.<tenant>.<event> in JetStream stream CALLS. */
const calls: Family<CallEvent> = {
  name: 'call',
  stream: 'CALLS',
  subject: 'callmesh.call',
  keptMs: 24 * 3_600_000,
  deduplicatedMs: 2 * 60_000,
  type: CallEvent,
  place: ({ tenantId, event }) => [tenantId, event],
  id: ({ nodeEpoch, legUuid, sequence, event }) =>
    happensOnce(event) ? `${nodeEpoch}-${legUuid}-${event}` : `${nodeEpoch}-${legUuid}-${sequence}-${event}`,
  lane: ({ sessionId, legUuid }) => sessionId || legUuid,
};

/** What a leg does once in its life has the same id when an agent that was restarted tells it again. */
function happensOnce(event: string): boolean {
  return ['created', 'ringing', 'answered', 'hangup'].includes(event);
}

/** Sends call events so that each arrives, also those of a time when NATS was away, once, and in order per session. */
export class CallPublisher extends DurablePublisher<CallEvent> {
  constructor(app: App, nats: Nats) {
    super(app, nats, calls);
  }
}

/**
 * Hands every call event to `handler`, at least once; one of all replicas that
 * name the same `durable` gets it. A handler that throws gets the event again.
 * With `event`, only those of that name; with `concurrency`, so many at a time and
 * in no order.
 */
export function consumeCall(
  app: App,
  nats: Nats,
  durable: string,
  handler: (event: CallEvent) => Promise<void> | void,
  { event, concurrency }: { readonly event?: string; readonly concurrency?: number } = {},
): EventConsumer {
  return consumeEach(app, nats, calls, { durable, event, concurrency }, handler);
}

/** The same in batches (see consumeBatches), for handlers that store them; with `event`, only those of that name. */
export function consumeCallBatches(
  app: App,
  nats: Nats,
  durable: string,
  handler: (events: readonly CallEvent[]) => Promise<void>,
  { event }: { readonly event?: string } = {},
): EventConsumer {
  return consumeBatches(app, nats, calls, { durable, event }, handler);
}

/** Hears call events of one name as they happen, at most once and by every subscriber: for counts that mend themselves. */
export function subscribeCall(
  nats: Nats,
  event: string,
  handler: (event: CallEvent) => void,
): { close(): void } {
  return nats.subscribe(subjectOf(calls, undefined, event), (message) => handler(decode(CallEvent, message)));
}

/** Reads call events in order from a position. Errors: out_of_range, unavailable. */
export function readCalls(nats: Nats, from: From, signal: AbortSignal): Promise<Reading<CallEvent>> {
  return readFrom(nats, calls, from, signal);
}
