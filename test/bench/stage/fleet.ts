import { eventually } from '@callmesh/local';
import { BackendState, LoadReport, Node, NodeRole } from '@callmesh/proto/node';
import { Etcd, type EtcdLease, Nats, publishLoad, subscribeAssigned } from '@callmesh/runtime';
import { testApp } from '../../support/app.ts';

const REPORT_MS = 1_000;
/** Longer than a node's own: this process is busy with load, too. */
const LEASE_S = 15;
/** One lease keeps so many nodes: it writes one after the other. */
const NODES_PER_LEASE = 20;
const CAPACITIES = [600, 1_200, 1_800];

/**
 * Media nodes that only speak, as their agents do: registered in etcd, and reporting once a second
 * how many sessions they have and which began, by what policy announces. Real ones would be two
 * processes each.
 */
export class Fleet {
  readonly nodes: readonly Node[];
  readonly #etcd: Etcd;
  readonly #nats: Nats;
  readonly #leases: EtcdLease[] = [];
  readonly #began = new Map<string, string[]>();
  #seq = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    count: number,
    group: string,
    mesh: { readonly etcd: { readonly url: string }; readonly nats: { readonly url: string } },
  ) {
    const app = testApp('fleet');
    this.#etcd = new Etcd(app, { endpoints: [mesh.etcd.url] });
    this.#nats = new Nats(app, { servers: [mesh.nats.url], replicas: 1 });
    this.nodes = Array.from({ length: count }, (_, at) => nodeOf(at, group));
  }

  async start(): Promise<void> {
    await Promise.all([this.#etcd.start(), this.#nats.start()]);
    for (const [at, node] of this.nodes.entries()) {
      if (at % NODES_PER_LEASE === 0) this.#leases.push(this.#etcd.lease(`fleet-${at}`, LEASE_S));
      this.#leases.at(-1)!.put(`/callmesh/nodes/media/${node.id}`, JSON.stringify(Node.toJSON(node)));
    }
    await eventually(() => this.#leases.every(({ held }) => held), 'the fleet is registered', 30_000);
    subscribeAssigned(this.#nats, ({ items }) => {
      for (const { node_id, session_id } of items) this.#begin(node_id, session_id);
    });
    this.#report();
    this.#timer = setInterval(() => this.#report(), REPORT_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#etcd.stop();
    await this.#nats.stop();
  }

  #begin(node: string, session: string): void {
    const began = this.#began.get(node);
    if (began) began.push(session);
    else this.#began.set(node, [session]);
  }

  /** Calls are over at once: a node has those that began since its last report. */
  #report(): void {
    this.#seq += 1;
    for (const { id: nodeId, role, epoch, maxSessions } of this.nodes) {
      const startedSessions = this.#began.get(nodeId) ?? [];
      publishLoad(
        this.#nats,
        LoadReport.fromPartial({
          ...{ nodeId, role, epoch, seq: this.#seq, maxSessions, startedSessions },
          ...{ sessions: 0, idleCpu: 80, backend: BackendState.BACKEND_STATE_UP },
        }),
      );
    }
    this.#began.clear();
  }
}

function nodeOf(at: number, group: string): Node {
  const id = `fs-${String(at + 1).padStart(3, '0')}`;
  return Node.fromPartial({
    ...{ id, role: NodeRole.NODE_ROLE_MEDIA, group, weight: 1, epoch: `${id}-life-1`, zone: `z${at % 3}` },
    ...{
      sipUri: `sip:127.1.0.${at + 1}:5080;transport=udp`,
      maxSessions: CAPACITIES[at % CAPACITIES.length]!,
    },
  });
}
