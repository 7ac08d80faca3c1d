import { type App, type Component, type Etcd, serviceKey } from '@callmesh/runtime';

/**
 * Which replica leads: the first of those registered in etcd, under leases. Two may believe it for a moment: what
 * a leader does is decided by compare-and-set, and leading only saves doing it twice.
 */
export class Leader implements Component {
  readonly name = 'leader';
  readonly #app: App;
  readonly #etcd: Etcd;
  readonly #replicas = new Set<string>();
  #watch: { close(): void } | undefined;
  /** Called when this replica begins to lead. */
  onLead: () => void = () => {};

  constructor(app: App, etcd: Etcd) {
    this.#app = app;
    this.#etcd = etcd;
  }

  get leads(): boolean {
    const [first] = [...this.#replicas].sort();
    return first === serviceKey('state', this.#app.instance);
  }

  async start(): Promise<void> {
    this.#watch = this.#etcd.watchPrefix(serviceKey('state'), {
      onSnapshot: (entries) => this.#change(() => this.#set(entries.keys())),
      onPut: (key) => this.#change(() => this.#replicas.add(key)),
      onDelete: (key) => this.#change(() => this.#replicas.delete(key)),
    });
  }

  async drain(): Promise<void> {
    this.#watch?.close();
    this.#replicas.clear();
  }

  #set(keys: Iterable<string>): void {
    this.#replicas.clear();
    for (const key of keys) this.#replicas.add(key);
  }

  #change(change: () => void): void {
    const led = this.leads;
    change();
    if (this.leads && !led) this.onLead();
  }
}
