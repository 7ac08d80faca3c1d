import { DesiredState, Node } from '@callmesh/proto/node';
import type { App, Component, Etcd } from '@callmesh/runtime';
import type { NodeTable } from '../domain/table.ts';
import { now } from './clock.ts';

const NODES = '/callmesh/nodes/';
const ADMIN = '/callmesh/admin/';

/** Where the desired state of a node is kept. */
export function adminKey(nodeId: string): string {
  return `${ADMIN}${nodeId}`;
}

const DESIRED: Record<string, DesiredState> = {
  active: DesiredState.DESIRED_STATE_ACTIVE,
  draining: DesiredState.DESIRED_STATE_DRAINING,
  disabled: DesiredState.DESIRED_STATE_DISABLED,
};

/** The word etcd keeps for a desired state. */
export function desiredWord(desired: DesiredState): string | undefined {
  return Object.keys(DESIRED).find((word) => DESIRED[word] === desired);
}

/** Brings registrations and desired states from etcd into the table. */
export function etcdFeed(app: App, etcd: Etcd, table: NodeTable): Component {
  const watches: { close(): void }[] = [];
  const watchNodes = () =>
    etcd.watchPrefix(NODES, {
      onSnapshot: (entries) => {
        const nodes = [...entries].map(([key, value]) => parse(app, key, value));
        table.listed(
          nodes.filter((node) => node !== undefined),
          now(),
        );
      },
      onPut: (key, value) => {
        const node = parse(app, key, value);
        if (node) table.registered(node, now());
      },
      onDelete: (key) => table.unregistered(nodeIdOf(key), now()),
    });
  const watchWishes = () =>
    etcd.watchPrefix(ADMIN, {
      onSnapshot: (entries) => {
        const wishes = new Map([...entries].map(([key, value]) => [nodeIdOf(key), desiredOf(value)]));
        void restore(app, etcd, table.desiredListed(wishes, now()));
        // Nodes come after what is wanted of them: one under repair is never up for a moment.
        if (watches.length === 1) watches.push(watchNodes());
      },
      onPut: (key, value) => table.desired(nodeIdOf(key), desiredOf(value), now()),
      onDelete: (key) => table.desired(nodeIdOf(key), DesiredState.DESIRED_STATE_ACTIVE, now()),
    });
  return {
    name: 'etcd-feed',
    async start() {
      etcd.onHealth((well) => table.source('etcd', well, now()));
      watches.push(watchWishes());
    },
    async stop() {
      for (const watch of watches) watch.close();
    },
  };
}

/** An etcd that lost its data has lost the drains, too; what the operator wanted still holds. */
async function restore(app: App, etcd: Etcd, lost: ReadonlyMap<string, DesiredState>): Promise<void> {
  for (const [id, desired] of lost) {
    app.log.warn({ node: id, desired: desiredWord(desired) }, 'etcd lost a desired state; writing it again');
    // A failure brings the next list, and with it the next attempt.
    await etcd.put(adminKey(id), desiredWord(desired)!).catch((error) => {
      app.log.warn({ node: id, err: error }, 'desired state could not be written again');
    });
  }
}

function parse(app: App, key: string, value: string): Node | undefined {
  try {
    const node = Node.fromJSON(JSON.parse(value));
    if (node.id !== '' && key.endsWith(`/${node.id}`)) return node;
    app.log.warn({ key }, 'a node registered under a key that is not its own');
  } catch (error) {
    app.log.warn({ key, err: error }, 'a node registered with what is not a node');
  }
  return undefined;
}

function desiredOf(value: string): DesiredState {
  return DESIRED[value] ?? DesiredState.DESIRED_STATE_ACTIVE;
}

function nodeIdOf(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1);
}
