import type { RecoverRequest, RecoverResponse } from '@callmesh/proto/takeover';
import { type Component, type Nats, serveHeir } from '@callmesh/runtime';

/** Who goes on with legs of dead nodes. */
export interface HeirTarget {
  recover(request: RecoverRequest): Promise<RecoverResponse>;
}

/** Takes what one node is asked to go on with from NATS. */
export function heirServer(nats: Nats, nodeId: string, target: HeirTarget): Component {
  let subscription: { close(): void } | undefined;
  return {
    name: 'heir',
    async start() {
      subscription = serveHeir(nats, nodeId, (request) => target.recover(request));
    },
    async drain() {
      subscription?.close();
    },
  };
}
