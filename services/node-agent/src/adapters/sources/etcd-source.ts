import { DesiredState, Node } from '@callmesh/proto/node';
import type { App, Component, Etcd } from '@callmesh/runtime';
import type { EtcdView } from '../../domain/kamailio/node-view.ts';

const NODES = '/callmesh/nodes/';
const ADMIN = '/callmesh/admin/';
const POLICY = '/callmesh/services/policy-http/';

const DESIRED: Record<string, DesiredState> = {
  active: DesiredState.DESIRED_STATE_ACTIVE,
  draining: DesiredState.DESIRED_STATE_DRAINING,
  disabled: DesiredState.DESIRED_STATE_DISABLED,
};

/** What an edge reads from etcd itself: policy instances always, nodes for when the state service is silent. */
export class EtcdSource implements Component {
  readonly name = 'etcd-source';
  readonly #app: App;
  readonly #etcd: Etcd;
  readonly #onChange: () => void;
  readonly #watches: { close(): void }[] = [];
  readonly #nodes = new Map<string, Node>();
  readonly #desired = new Map<string, DesiredState>();
  readonly #policies = new Map<string, string>();
  #lastPolicies: readonly string[];
  #listed = false;

  constructor(app: App, etcd: Etcd, lastPolicies: readonly string[], onChange: () => void) {
    this.#app = app;
    this.#etcd = etcd;
    this.#lastPolicies = lastPolicies;
    this.#onChange = onChange;
  }

  /** Nodes as registered; undefined while etcd is silent. */
  get view(): EtcdView | undefined {
    const known = this.#listed && this.#etcd.silentSince === undefined;
    return known ? { nodes: this.#nodes, desired: this.#desired } : undefined;
  }

  /**
   * Base URLs of policy instances. When etcd says there is none, those that were
   * known last stay: asking a dead one costs a timeout, forgetting a living one
   * costs the routing of every call.
   */
  get policies(): readonly string[] {
    return this.#lastPolicies;
  }

  async start(): Promise<void> {
    this.#follow(
      NODES,
      this.#nodes,
      (value) => this.#parseNode(value),
      () => {
        this.#listed = true;
      },
    );
    this.#follow(ADMIN, this.#desired, (value) => DESIRED[value]);
    this.#follow(POLICY, this.#policies, (value) => `http://${value}`);
  }

  async stop(): Promise<void> {
    for (const watch of this.#watches) watch.close();
  }

  #follow<T>(
    prefix: string,
    into: Map<string, T>,
    parse: (value: string) => T | undefined,
    onListed: () => void = () => {},
  ): void {
    const put = (key: string, value: string) => {
      const parsed = parse(value);
      const name = key.slice(key.lastIndexOf('/') + 1);
      if (parsed === undefined) into.delete(name);
      else into.set(name, parsed);
    };
    const watch = this.#etcd.watchPrefix(prefix, {
      onSnapshot: (entries) => {
        into.clear();
        for (const [key, value] of entries) put(key, value);
        onListed();
        this.#changed();
      },
      onPut: (key, value) => {
        put(key, value);
        this.#changed();
      },
      onDelete: (key) => {
        into.delete(key.slice(key.lastIndexOf('/') + 1));
        this.#changed();
      },
    });
    this.#watches.push(watch);
  }

  #changed(): void {
    if (this.#policies.size > 0) this.#lastPolicies = [...new Set(this.#policies.values())].sort();
    this.#onChange();
  }

  #parseNode(value: string): Node | undefined {
    try {
      return Node.fromJSON(JSON.parse(value));
    } catch (error) {
      this.#app.log.warn({ err: error }, 'a node record in etcd is not JSON');
      return undefined;
    }
  }
}
