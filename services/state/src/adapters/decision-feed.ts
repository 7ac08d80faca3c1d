import { type App, type Component, type Nats, subscribeDecided, subscribeSession } from '@callmesh/runtime';
import type { Recent } from '../domain/recent.ts';

/** Keeps what policy decides and session-cache moves; what is said while NATS is away is not heard. */
export function decisionFeed(app: App, nats: Nats, recent: Recent): Component {
  const open: { close(): void }[] = [];
  return {
    name: 'decision-feed',
    async start() {
      open.push(
        subscribeDecided(nats, ({ decided, omitted }) => {
          for (const one of decided) recent.decided(one);
          if (omitted > 0) app.log.debug({ omitted }, 'decisions that were not told');
        }),
        subscribeSession(nats, ({ event, binding, from }) => {
          if (event !== 'moved' || !binding || !from) return;
          const { sessionId, tenantId, nodeId: toNodeId } = binding;
          recent.moved({ at: new Date(), sessionId, tenantId, fromNodeId: from.nodeId, toNodeId });
        }),
      );
    },
    async stop() {
      for (const subscription of open) subscription.close();
    },
  };
}
