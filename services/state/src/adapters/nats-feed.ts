import { type Component, type Nats, subscribeLoad, subscribeNode } from '@callmesh/runtime';
import type { NodeTable } from '../domain/table.ts';

/** Brings load reports and the agents' own words from NATS into the table. */
export function natsFeed(nats: Nats, table: NodeTable): Component {
  return {
    name: 'nats-feed',
    async start() {
      nats.onHealth((well) => table.source('nats', well, Date.now()));
      subscribeLoad(nats, (load) => table.reported(load, Date.now()));
      subscribeNode(nats, (lifecycle) => table.heard(lifecycle, Date.now()));
    },
  };
}
