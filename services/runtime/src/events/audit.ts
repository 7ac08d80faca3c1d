import { AuditEvent } from '@callmesh/proto/audit';
import type { Nats } from '../nats.ts';
import type { App } from '../service.ts';
import { token } from './json.ts';
import { consumeStream, type EventStream, type StreamConsumer, StreamPublisher } from './stream.ts';

/** callmesh.audit.<tenant>.<what> in JetStream stream AUDIT; tenant is "_" where none is known. */
const AUDIT: EventStream<AuditEvent> = {
  stream: 'AUDIT',
  what: 'audit events',
  subject: 'callmesh.audit',
  keptMs: 30 * 24 * 3_600_000,
  outbox: 10_000,
  type: AuditEvent,
  subjectOf: ({ tenantId, what }) => `${token(tenantId)}.${token(what)}`,
  idOf: ({ id }) => id,
  describe: ({ id, what }) => ({ id, what }),
};

/** Sends refusals that matter for security so that each arrives, once per id. */
export class AuditPublisher extends StreamPublisher<AuditEvent> {
  constructor(app: App, nats: Nats) {
    super(app, nats, AUDIT);
  }
}

/** Hands every audit event to `handler`, at least once; one of all replicas that name the same `durable` gets it. */
export function consumeAudit(
  app: App,
  nats: Nats,
  durable: string,
  handler: (event: AuditEvent) => Promise<void> | void,
): StreamConsumer {
  return consumeStream(app, nats, AUDIT, durable, handler);
}
