import { eventually } from '@callmesh/local';
import { BackendState, LoadReport, Node, NodeRole } from '@callmesh/proto/node';
import { Decided } from '@callmesh/proto/policy';
import { Etcd, type EtcdLease, Nats, publishDecided, publishLoad } from '@callmesh/runtime';
import { testApp } from '../support/app.ts';

const REPORT_MS = 1_000;
const GROUP_SIZE = 22;
const MAX = 500;
/** Longer than a node's own: this process is busy with callers and a browser, too. */
const LEASE_S = 15;

/**
 * Many nodes that only speak: registered in etcd, each reporting its
 * load once a second, as an agent does; and the decisions that bring them sessions.
 * Real ones are two processes each, too many for the machine of a test.
 */
export class Fleet {
  readonly #etcd: Etcd;
  readonly #nats: Nats;
  readonly #nodes: Node[];
  readonly #leases = new Map<string, EtcdLease>();
  #seq = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(count: number, urls: { readonly etcd: string; readonly nats: string }) {
    const app = testApp('fleet');
    this.#etcd = new Etcd(app, { endpoints: [urls.etcd] });
    this.#nats = new Nats(app, { servers: [urls.nats], replicas: 1 });
    this.#nodes = Array.from({ length: count }, (_, index) => nodeOf(index));
  }

  async start(): Promise<void> {
    await Promise.all([this.#etcd.start(), this.#nats.start()]);
    for (const node of this.#nodes) this.#register(node);
    await eventually(
      () => [...this.#leases.values()].every(({ held }) => held),
      'the fleet is registered',
      30_000,
    );
    this.#speak();
    this.#timer = setInterval(() => this.#speak(), REPORT_MS);
  }

  /** A lease writes one key after the other: one for each group is faster than one for all. */
  #register(node: Node): void {
    const lease = this.#leases.get(node.group) ?? this.#etcd.lease(node.group, LEASE_S);
    this.#leases.set(node.group, lease);
    lease.put(`/callmesh/nodes/media/${node.id}`, JSON.stringify(Node.toJSON(node)));
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#etcd.stop();
    await this.#nats.stop();
  }

  #speak(): void {
    this.#seq += 1;
    for (const [index, node] of this.#nodes.entries())
      publishLoad(this.#nats, reportOf(node, index, this.#seq));
    publishDecided(this.#nats, {
      decided: this.#nodes.map((node) => decisionFor(node, this.#seq)),
      omitted: 0,
    });
  }
}

function nodeOf(index: number): Node {
  const id = `fs-fleet-${String(index + 1).padStart(3, '0')}`;
  return Node.fromPartial({
    ...{ id, role: NodeRole.NODE_ROLE_MEDIA, group: `fleet-${Math.floor(index / GROUP_SIZE) + 1}` },
    ...{ sipUri: 'sip:127.0.0.1:5080;transport=udp', weight: 1, maxSessions: MAX, epoch: `${id}-life-1` },
  });
}

/** Each node breathes in its own time. */
function reportOf({ id: nodeId, role, epoch }: Node, index: number, seq: number): LoadReport {
  const share = 0.5 + 0.45 * Math.sin(index * 1.7 + seq / 10);
  return LoadReport.fromPartial({
    ...{ nodeId, role, epoch, seq, backend: BackendState.BACKEND_STATE_UP },
    ...{
      sessions: Math.round(MAX * share),
      maxSessions: MAX,
      sessionsPerSecond: 1,
      idleCpu: 100 - 60 * share,
    },
  });
}

function decisionFor({ id, group }: Node, seq: number): Decided {
  return Decided.fromPartial({
    ...{ at: new Date(), instance: 'policy-1', edgeId: 'kama-pstn-1', callId: `${id}-${seq}@fleet` },
    ...{ sessionId: `${seq}`.padStart(16, '0'), tenantId: 'fleet', function: 'general', groupId: group },
    ...{ nodeId: id, strategy: 'lightest', reason: `lightest: ${id} carries the least`, tookMs: 0.4 },
  });
}
