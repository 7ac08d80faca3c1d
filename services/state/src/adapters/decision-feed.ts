import type { Decided } from '@callmesh/proto/policy';
import type { SessionMove } from '@callmesh/proto/state';
import { type App, type Component, type Nats, subscribeDecided, subscribeSession } from '@callmesh/runtime';

/** Whoever wants to hear of decisions and moves. */
export interface Hears {
  decided(decision: Decided): void;
  moved(move: SessionMove): void;
}

/** Hears what policy decides and session-cache moves; what is said while NATS is away is not heard. */
export function decisionFeed(app: App, nats: Nats, listeners: readonly Hears[]): Component {
  const open: { close(): void }[] = [];
  return {
    name: 'decision-feed',
    async start() {
      open.push(
        subscribeDecided(nats, ({ decided, omitted }) => {
          for (const one of decided) for (const listener of listeners) listener.decided(one);
          if (omitted > 0) app.log.debug({ omitted }, 'decisions that were not told');
        }),
        subscribeSession(nats, ({ event, binding, from }) => {
          if (event !== 'moved' || !binding || !from) return;
          const { sessionId, tenantId, nodeId: toNodeId } = binding;
          const move = { at: new Date(), sessionId, tenantId, fromNodeId: from.nodeId, toNodeId };
          for (const listener of listeners) listener.moved(move);
        }),
      );
    },
    async stop() {
      for (const subscription of open) subscription.close();
    },
  };
}
