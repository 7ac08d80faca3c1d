import type { Component, Etcd, Nats } from '@callmesh/runtime';
import type { NodeTable } from '../domain/table.ts';

/** Nodes report once a second. */
const LONGEST_MS = 1_500;
const LOOK_MS = 50;

/**
 * Lets a replica that starts hear every node once before it answers: else it would
 * call all of them suspect for a second, to whoever happens to ask it.
 */
export function firstReports(table: NodeTable, etcd: Etcd, nats: Nats, judge: () => void): Component {
  const isHopeless = () => etcd.silentSince !== undefined || !nats.connected;
  return {
    name: 'first-reports',
    async start() {
      const until = performance.now() + LONGEST_MS;
      while (!table.isComplete && !isHopeless() && performance.now() < until)
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      judge();
    },
  };
}
