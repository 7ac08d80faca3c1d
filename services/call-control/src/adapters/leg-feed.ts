import { setTimeout as delay } from 'node:timers/promises';
import { type App, type Component, type Nats, readCalls, subscribeNode } from '@callmesh/runtime';
import type { LiveLegs } from '../domain/live-legs.ts';

const RETRY_MS = 500;

/** Keeps the table of live legs: from all that is kept of call events, then from each that comes. */
export function legFeed(app: App, nats: Nats, legs: LiveLegs): Component {
  const stop = new AbortController();
  let position: number | 'start' = 'start';

  async function follow(): Promise<void> {
    const reading = await readCalls(nats, { tenantId: '*', after: position }, stop.signal);
    app.degraded('live-legs', null);
    for await (const { event, position: at } of reading) {
      legs.apply(event);
      position = at;
    }
  }

  async function followForEver(): Promise<void> {
    while (!stop.signal.aborted) {
      try {
        await follow();
      } catch (error) {
        if (stop.signal.aborted) return;
        app.degraded('live-legs', (error as Error).message);
        // What NATS lost it cannot give again: what is left of it is read from its beginning.
        position = 'start';
        await delay(RETRY_MS, undefined, { signal: stop.signal }).catch(() => {});
      }
    }
  }

  return {
    name: 'live-legs',
    async start() {
      subscribeNode(nats, ({ nodeId, epoch, event }) => event === 'down' && legs.forgetNode(nodeId, epoch));
      void followForEver();
    },
    async stop() {
      stop.abort();
    },
  };
}
