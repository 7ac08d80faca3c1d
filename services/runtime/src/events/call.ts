import { CallEvent } from '@callmesh/proto/call';
import type { Nats } from '../nats.ts';
import type { App } from '../service.ts';
import { token } from './json.ts';
import { consumeStream, type EventStream, type StreamConsumer, StreamPublisher } from './stream.ts';

/** callmesh.call.<tenant>.<event> in JetStream stream CALLS. */
const CALLS: EventStream<CallEvent> = {
  stream: 'CALLS',
  what: 'call events',
  subject: 'callmesh.call',
  keptMs: 24 * 3_600_000,
  outbox: 20_000,
  type: CallEvent,
  subjectOf: ({ tenantId, event }) => `${token(tenantId)}.${token(event)}`,
  idOf: ({ nodeEpoch, sequence, event }) => `${nodeEpoch}-${sequence}-${event}`,
  describe: ({ event, callId }) => ({ event, call_id: callId }),
};

/** Sends call events so that each arrives, also those of a time when NATS was away, and once. */
export class CallPublisher extends StreamPublisher<CallEvent> {
  constructor(app: App, nats: Nats) {
    super(app, nats, CALLS);
  }
}

export type CallConsumer = StreamConsumer;

/** Hands every call event to `handler`, at least once; one of all replicas that name the same `durable` gets it. */
export function consumeCall(
  app: App,
  nats: Nats,
  durable: string,
  handler: (event: CallEvent) => Promise<void> | void,
): CallConsumer {
  return consumeStream(app, nats, CALLS, durable, handler);
}
