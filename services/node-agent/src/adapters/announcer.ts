import { Node } from '@callmesh/proto/node';
import {
  type App,
  type Component,
  type Etcd,
  type EtcdLease,
  type Nats,
  publishNode,
  roleName,
} from '@callmesh/runtime';

/** A node that stops renewing is gone from the mesh's table this many seconds later. */
const LEASE_S = 3;

/** Tells the mesh that the node is there, by a leased key in etcd, and that it is gone, at once and by every way. */
export class Announcer implements Component {
  readonly name = 'announcer';
  readonly #app: App;
  readonly #etcd: Etcd;
  readonly #nats: Nats;
  #lease: EtcdLease | undefined;
  #node: Node | undefined;
  #leaving = false;
  /** Whether the node carries calls now. */
  carries: () => boolean = () => false;

  constructor(app: App, etcd: Etcd, nats: Nats) {
    this.#app = app;
    this.#etcd = etcd;
    this.#nats = nats;
  }

  /** True while etcd holds the record. */
  get registered(): boolean {
    return this.#lease?.held ?? false;
  }

  /** The node lives, in the life its epoch names; changes of its record are announced the same way. */
  up(node: Node): void {
    if (this.#leaving) return;
    const before = this.#node;
    this.#node = node;
    this.#lease ??= this.#etcd.lease(`node ${node.id}`, LEASE_S);
    this.#lease.put(keyOf(node), JSON.stringify(Node.toJSON(node)));
    if (before?.epoch === node.epoch) return;
    this.#app.log.info({ node_id: node.id, epoch: node.epoch, version: node.version }, 'node is up');
    this.#publish(node, 'up', 'registered');
  }

  /** The node is dead or cut off. A lease of its own per registration: revoking it cannot lose a race with a write. */
  down(reason: string): void {
    const node = this.#node;
    if (!node) return;
    this.#node = undefined;
    this.#app.log.warn({ node_id: node.id, epoch: node.epoch, reason }, 'node is down');
    this.#publish(node, 'down', reason);
    void this.#revoke();
  }

  /**
   * An orderly goodbye of the agent: without it nobody knows how the node is. Of one that carries calls nothing is said:
   * they go on without its agent, and would be given to others if it were called down. Its record runs out, and
   * the node itself is asked how it is.
   */
  async drain(): Promise<void> {
    this.#leaving = true;
    const node = this.#node;
    this.#node = undefined;
    if (this.carries()) return this.#lease?.abandon();
    if (node) this.#publish(node, 'down', 'node-agent stops');
    await this.#revoke();
  }

  async #revoke(): Promise<void> {
    const lease = this.#lease;
    this.#lease = undefined;
    await lease?.close();
  }

  #publish(node: Node, event: 'up' | 'down', reason: string): void {
    const at = new Date();
    publishNode(this.#nats, {
      nodeId: node.id,
      epoch: node.epoch,
      event,
      reason,
      at,
      observer: this.#app.instance,
    });
  }
}

function keyOf(node: Node): string {
  return `/callmesh/nodes/${roleName(node.role)}/${node.id}`;
}
