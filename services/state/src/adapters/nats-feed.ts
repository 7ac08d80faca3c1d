import {
  type App,
  type Component,
  type Nats,
  subscribeLoad,
  subscribeNode,
  withTimeout,
} from '@callmesh/runtime';
import type { NodeTable } from '../domain/table.ts';
import { now } from './clock.ts';

const PROBE_MS = 250;
const ANSWER_MS = 2_000;

/**
 * Brings load reports and the agents' own words from NATS into the table, and how
 * far the bus is known to carry: the answer to a ping comes behind all that was
 * published before it, so silence up to the ping is the nodes' own.
 */
export function natsFeed(app: App, nats: Nats, table: NodeTable): Component {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const probe = async () => {
    const asked = now();
    try {
      if (nats.connected) {
        await withTimeout(nats.connection.flush(), ANSWER_MS, 'NATS ping');
        table.proven(asked);
      }
    } catch (error) {
      app.log.debug({ err: error }, 'NATS does not answer a ping');
    }
    if (!stopped) timer = setTimeout(probe, PROBE_MS);
  };
  return {
    name: 'nats-feed',
    async start() {
      nats.onHealth((well) => table.source('nats', well, now()));
      subscribeLoad(nats, (load) => table.reported(load, now()));
      subscribeNode(nats, (lifecycle) => table.heard(lifecycle, now()));
      void probe();
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
