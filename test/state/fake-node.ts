import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { BackendState, LoadReport, Node, NodeRole } from '@callmesh/proto/node';
import { Etcd, type EtcdLease, Nats, publishLoad, publishNode } from '@callmesh/runtime';
import { testApp } from '../support/app.ts';

const REPORT_MS = 500;

/** What stands beside a node, as far as the table sees it: a leased record in etcd and load reports on NATS. */
export class FakeNode {
  readonly id: string;
  backend: BackendState = BackendState.BACKEND_STATE_UP;
  sessions = 0;
  #epoch: string;
  #seq = 0;
  /** Where nobody answers. */
  #sipPort = 1;
  readonly #etcd: Etcd;
  readonly #nats: Nats;
  #lease: EtcdLease | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(id: string, urls: { readonly etcd: string; readonly nats: string }) {
    this.id = id;
    this.#epoch = `${id}-life-1`;
    const app = testApp(id);
    this.#etcd = new Etcd(app, { endpoints: [urls.etcd] });
    this.#nats = new Nats(app, { servers: [urls.nats], replicas: 1 });
  }

  get record(): Node {
    const sipUri = `sip:127.0.0.1:${this.#sipPort};transport=udp`;
    const role = NodeRole.NODE_ROLE_MEDIA;
    return Node.fromPartial({ id: this.id, role, group: 'media-a', sipUri, weight: 1, epoch: this.#epoch });
  }

  get key(): string {
    return `/callmesh/nodes/media/${this.id}`;
  }

  async start(): Promise<void> {
    await Promise.all([this.#etcd.start(), this.#nats.start()]);
    this.register();
    this.speak();
  }

  /** It says something at its SIP address, until that is closed. */
  async answersSip(): Promise<{ close(): void }> {
    const socket = createSocket('udp4');
    socket.on('message', (_, { port, address }) => socket.send('SIP/2.0 200 OK\r\n\r\n', port, address));
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    this.#sipPort = socket.address().port;
    this.register();
    return socket;
  }

  register(): void {
    this.#lease ??= this.#etcd.lease(this.id, 3);
    this.#lease.put(this.key, JSON.stringify(Node.toJSON(this.record)));
  }

  speak(): void {
    this.report();
    this.#timer ??= setInterval(() => this.report(), REPORT_MS);
  }

  mute(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  report(): void {
    const { id: nodeId, backend, sessions } = this;
    const role = NodeRole.NODE_ROLE_MEDIA;
    const epoch = this.#epoch;
    const backendReason = backend === BackendState.BACKEND_STATE_DOWN ? 'esl closed' : '';
    publishLoad(
      this.#nats,
      LoadReport.fromPartial({ nodeId, role, epoch, sessions, backend, backendReason, seq: ++this.#seq }),
    );
  }

  /** The host dies: reports stop at once, the lease runs out. */
  async die(): Promise<void> {
    this.mute();
    // The key goes as it does when a lease runs out; waiting for that would only make the test slow.
    await this.#lease?.close();
    this.#lease = undefined;
  }

  async bye(): Promise<void> {
    const { id: nodeId } = this;
    const epoch = this.#epoch;
    publishNode(this.#nats, {
      nodeId,
      epoch,
      event: 'down',
      reason: 'bye',
      at: new Date(),
      observer: nodeId,
    });
    await this.die();
  }

  /** The server restarts: another life under the same name. */
  rise(life: number): void {
    this.#epoch = `${this.id}-life-${life}`;
    this.#seq = 0;
    this.backend = BackendState.BACKEND_STATE_UP;
    this.register();
    this.speak();
  }

  async stop(): Promise<void> {
    this.mute();
    await this.#etcd.stop();
    await this.#nats.stop();
  }
}
