import { DecidedBatch } from '@callmesh/proto/policy';
import type { Nats } from '../nats.ts';
import { decode, encode } from './json.ts';

/** Core NATS: what policy decided and why, for those who watch; nothing depends on it. */
const SUBJECT = 'callmesh.policy.decided';

export function publishDecided(nats: Nats, batch: DecidedBatch): boolean {
  return nats.publish(SUBJECT, encode(DecidedBatch, batch));
}

export function subscribeDecided(nats: Nats, handler: (batch: DecidedBatch) => void): { close(): void } {
  return nats.subscribe(SUBJECT, (message) => handler(decode(DecidedBatch, message)));
}
