import { randomUUID } from 'node:crypto';
import { AuditEvent } from '@callmesh/proto/audit';
import type { ErrorCode } from '../errors.ts';
import type { Nats } from '../nats.ts';
import type { App } from '../service.ts';
import { consumeBatches, type EventConsumer } from './durable/consumer.ts';
import type { Family } from './durable/family.ts';
import { DurablePublisher } from './durable/publisher.ts';

/** callmesh.audit.<tenant>.<what> in JetStream stream AUDIT. */
const refusals: Family<AuditEvent> = {
  name: 'audit',
  stream: 'AUDIT',
  subject: 'callmesh.audit',
  keptMs: 30 * 24 * 3_600_000,
  deduplicatedMs: 2 * 60_000,
  type: AuditEvent,
  place: ({ tenantId, what }) => [tenantId, what],
  id: ({ id }) => id,
  lane: ({ tenantId }) => tenantId,
};

/** Something that was tried and refused. */
export interface Refusal {
  /** What was tried. */
  readonly what: 'command' | 'events' | 'cdr' | 'register' | 'call' | 'origin' | 'replay' | 'dialplan';
  readonly code: ErrorCode;
  /** Tenant whose things were reached for; empty when unknown. */
  readonly tenantId: string;
  /** Who tried: authenticated name, or address. */
  readonly actor: string;
  /** For a person; no secrets. */
  readonly detail?: string;
  /** Names it where the same refusal may be told twice; else it gets a name of its own. */
  readonly id?: string;
  /** Now unless told. */
  readonly at?: Date;
}

/** Tells whoever has to answer for it what was refused; arrives once, also after a time when NATS was away. */
export class AuditPublisher {
  readonly name = 'audit';
  readonly #publisher: DurablePublisher<AuditEvent>;
  readonly #observer: string;

  constructor(app: App, nats: Nats) {
    this.#publisher = new DurablePublisher(app, nats, refusals);
    this.#observer = app.instance;
  }

  /** Queues it; never throws, never waits. */
  publish({ id = randomUUID(), at = new Date(), detail = '', ...refusal }: Refusal): void {
    this.#publisher.publish({ id, at, detail, observer: this.#observer, ...refusal });
  }

  drain(): Promise<void> {
    return this.#publisher.drain();
  }

  stop(): Promise<void> {
    return this.#publisher.stop();
  }
}

/** Hands refusals in batches to a handler that stores them (see consumeBatches). */
export function consumeAuditBatches(
  app: App,
  nats: Nats,
  durable: string,
  handler: (refusals: readonly AuditEvent[]) => Promise<void>,
): EventConsumer {
  return consumeBatches(app, nats, refusals, { durable }, handler);
}
