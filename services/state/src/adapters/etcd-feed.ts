import { DesiredState, Node } from '@callmesh/proto/node';
import type { App, Component, Etcd } from '@callmesh/runtime';
import type { NodeTable } from '../domain/table.ts';

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
  const parse = (key: string, value: string): Node | undefined => {
    try {
      const node = Node.fromJSON(JSON.parse(value));
      if (node.id !== '' && key.endsWith(`/${node.id}`)) return node;
      app.log.warn({ key }, 'a node registered under a key that is not its own');
    } catch (error) {
      app.log.warn({ key, err: error }, 'a node registered with what is not a node');
    }
    return undefined;
  };
  const desired = (value: string): DesiredState => DESIRED[value] ?? DesiredState.DESIRED_STATE_ACTIVE;
  const nodeId = (key: string) => key.slice(key.lastIndexOf('/') + 1);
  return {
    name: 'etcd-feed',
    async start() {
      etcd.onHealth((well) => table.source('etcd', well, Date.now()));
      etcd.watchPrefix(NODES, {
        onSnapshot: (entries) => {
          const nodes = [...entries]
            .map(([key, value]) => parse(key, value))
            .filter((node) => node !== undefined);
          table.listed(nodes, Date.now());
        },
        onPut: (key, value) => {
          const node = parse(key, value);
          if (node) table.registered(node, Date.now());
        },
        onDelete: (key) => table.unregistered(nodeId(key), Date.now()),
      });
      etcd.watchPrefix(ADMIN, {
        onSnapshot: (entries) =>
          table.desiredListed(new Map([...entries].map(([key, value]) => [nodeId(key), desired(value)]))),
        onPut: (key, value) => table.desired(nodeId(key), desired(value)),
        onDelete: (key) => table.desired(nodeId(key), DesiredState.DESIRED_STATE_ACTIVE),
      });
    },
  };
}
