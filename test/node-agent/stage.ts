import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { etcdServer, eventually, natsServer, type Process, type Server } from '@callmesh/local';
import type { CallEvent } from '@callmesh/proto/call';
import {
  BackendState,
  type LoadReport,
  Node,
  NodeAgentServiceClient,
  type NodeLifecycle,
} from '@callmesh/proto/node';
import {
  type App,
  call,
  consumeCall,
  Etcd,
  type EventConsumer,
  grpcClient,
  Nats,
  subscribeLoad,
  subscribeNode,
} from '@callmesh/runtime';
import { serviceProcess } from '../../deploy/local/src/service.ts';
import { TOKEN, testApp } from '../support/app.ts';

/** etcd and NATS, and what a mesh hears there of the agents under test. */
export class Stage {
  readonly dir = mkdtempSync(join(tmpdir(), 'node-agent-'));
  readonly loads: LoadReport[] = [];
  readonly lifecycles: NodeLifecycle[] = [];
  readonly calls: CallEvent[] = [];
  readonly #processes: Process[] = [];
  readonly #clients: NodeAgentServiceClient[] = [];
  #consumer: EventConsumer | undefined;
  etcdServer!: Server;
  natsServer!: Server;
  app!: App;
  etcd!: Etcd;
  nats!: Nats;

  static async start(): Promise<Stage> {
    const stage = new Stage();
    stage.etcdServer = await etcdServer(stage.dir);
    stage.natsServer = await natsServer(stage.dir);
    await Promise.all([stage.run(stage.etcdServer.process), stage.run(stage.natsServer.process)]);
    stage.app = testApp('test', {
      etcd: { endpoints: [stage.etcdServer.url] },
      nats: { servers: [stage.natsServer.url] },
    });
    stage.etcd = new Etcd(stage.app, stage.app.config.etcd);
    stage.nats = new Nats(stage.app, stage.app.config.nats);
    await Promise.all([stage.etcd.start(), stage.nats.start()]);
    subscribeLoad(stage.nats, (report) => stage.loads.push(report));
    subscribeNode(stage.nats, (lifecycle) => stage.lifecycles.push(lifecycle));
    stage.#consumer = consumeCall(stage.app, stage.nats, 'test', (event) => void stage.calls.push(event));
    await stage.#consumer.start?.();
    return stage;
  }

  /** Starts a process that ends with the stage. */
  async run(process: Process): Promise<Process> {
    this.#processes.push(process);
    return process.start();
  }

  /** An agent as a process of its own. */
  agent(id: string, config: Record<string, unknown>): Promise<Process> {
    const around = { dir: this.dir, etcd: this.etcdServer.url, nats: this.natsServer.url, token: TOKEN };
    return this.run(serviceProcess(around, 'node-agent', `${id}-agent`, config));
  }

  /** Asks an agent how it sees its node. */
  async status(agent: Process) {
    const client = grpcClient(this.app, NodeAgentServiceClient, agent.ready.grpc!);
    this.#clients.push(client);
    return call(client, 'getStatus', {});
  }

  /** The node's record in etcd; undefined when it is not registered. */
  async record(role: string, id: string): Promise<Node | undefined> {
    const value = await this.etcd.get(`/callmesh/nodes/${role}/${id}`);
    return value === undefined ? undefined : Node.fromJSON(JSON.parse(value));
  }

  registered(role: string, id: string): Promise<Node> {
    return eventually(() => this.record(role, id), `${id} is registered`);
  }

  unregistered(role: string, id: string, ms = 10_000): Promise<true> {
    return eventually(
      async () => (await this.record(role, id)) === undefined,
      `${id} is not registered`,
      ms,
    ) as Promise<true>;
  }

  /** Waits for a load report of which this is true, from the reports that came after `from`. */
  load(
    nodeId: string,
    test: (report: LoadReport) => boolean,
    what: string,
    ms = 10_000,
  ): Promise<LoadReport> {
    const from = this.loads.length;
    return eventually(
      () => this.loads.slice(from).find((report) => report.nodeId === nodeId && test(report)),
      what,
      ms,
    );
  }

  up(nodeId: string): Promise<LoadReport> {
    return this.load(nodeId, ({ backend }) => backend === BackendState.BACKEND_STATE_UP, `${nodeId} is up`);
  }

  /** Names of the call events of a leg, in order of their sequence. */
  eventsOf(legUuid: string): string[] {
    const events = this.calls.filter((event) => event.legUuid === legUuid);
    return events.sort((a, b) => a.sequence - b.sequence).map(({ event }) => event);
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.#consumer?.stop?.();
    // The stores last: whoever says goodbye says it to them.
    for (const process of this.#processes.slice(2).reverse()) await process.stop();
    await this.nats?.stop();
    await this.etcd?.stop();
    for (const process of this.#processes.slice(0, 2)) await process.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
