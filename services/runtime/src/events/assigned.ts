import { z } from 'zod';
import type { Nats } from '../nats.ts';

/** Core NATS: what a policy instance has just assigned, so that the others count it too. */
const SUBJECT = 'callmesh.policy.assigned';

const Assigned = z.object({
  /** The policy instance that assigned. */
  instance: z.string(),
  items: z.array(z.object({ node_id: z.string(), epoch: z.string(), session_id: z.string() })),
});
export type Assigned = z.infer<typeof Assigned>;

export function publishAssigned(nats: Nats, assigned: Assigned): boolean {
  return nats.publish(SUBJECT, JSON.stringify(assigned));
}

export function subscribeAssigned(nats: Nats, handler: (assigned: Assigned) => void): { close(): void } {
  return nats.subscribe(SUBJECT, (message) => handler(Assigned.parse(message.json())));
}
