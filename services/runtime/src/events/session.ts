import { SessionEvent } from '@callmesh/proto/session';
import type { Nats } from '../nats.ts';
import { decode, encode, token } from './json.ts';

/** callmesh.session.<tenant>.<bound|moved|released>, core NATS: session-cache's watch is the durable way. */
const SUBJECT = 'callmesh.session';

export function publishSession(nats: Nats, event: SessionEvent): boolean {
  const tenant = token(event.binding?.tenantId ?? '');
  return nats.publish(`${SUBJECT}.${tenant}.${token(event.event)}`, encode(SessionEvent, event));
}

export function subscribeSession(nats: Nats, handler: (event: SessionEvent) => void): { close(): void } {
  return nats.subscribe(`${SUBJECT}.>`, (message) => handler(decode(SessionEvent, message)));
}
