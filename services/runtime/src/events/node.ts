import { NodeLifecycle } from '@callmesh/proto/node';
import type { Nats } from '../nats.ts';
import { decode, encode, token } from './json.ts';

/** callmesh.node.<node-id>.<up|suspect|down|draining|drained>, core NATS. */
const SUBJECT = 'callmesh.node';

export function publishNode(nats: Nats, lifecycle: NodeLifecycle): boolean {
  return nats.publish(
    `${SUBJECT}.${token(lifecycle.nodeId)}.${token(lifecycle.event)}`,
    encode(NodeLifecycle, lifecycle),
  );
}

export function subscribeNode(nats: Nats, handler: (lifecycle: NodeLifecycle) => void): { close(): void } {
  return nats.subscribe(`${SUBJECT}.>`, (message) => handler(decode(NodeLifecycle, message)));
}
