import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeAgentServiceClient } from '@callmesh/proto/node';
import { type NodeState, NodeStatus, StateServiceClient } from '@callmesh/proto/state';
import { TenantRegistryServiceClient } from '@callmesh/proto/tenant';
import { call, grpcClient } from '@callmesh/runtime';
import type { Client } from '@grpc/grpc-js';
import { type AgentsDoor, agentsDoor, pstnDoor, type Shared } from './doors.ts';
import { type Edge, edgeAgentConfig } from './kamailio.ts';
import { agentConfig, placeOf, serverOf } from './node.ts';
import { eventually, type Process } from './process.ts';
import { etcdServer, natsServer, rtpengineServer, type Server } from './servers.ts';
import { type ServiceName, type Surroundings, serviceProcess } from './service.ts';
import type { DoorSpec, MeshNode, MeshSpec, NodeSpec, Settings } from './spec.ts';

/** Who may look at the console of a local mesh: whoever has its token. */
const CONSOLE = { operators: [{ name: 'local', token: '${CALLMESH_TOKEN}' }] };

/** A leg on a stand-in; headers are FreeSWITCH's variables sip_h_<name>. */
interface Leg {
  readonly call_id: string;
  readonly headers: Record<string, string>;
}

/** The whole of callmesh on this machine, each part a process of its own. */
export class Mesh {
  readonly dir: string;
  readonly token = `local-${Math.random().toString(36).slice(2).padEnd(16, 'x')}`;
  readonly nodes = new Map<string, MeshNode>();
  readonly services = new Map<string, Process>();
  readonly #spec: MeshSpec;
  readonly #temporary: boolean;
  readonly #clients = new Set<Client>();
  readonly #processes: Process[] = [];
  etcd!: Server;
  nats!: Server;
  rtpengines: Server[] = [];
  /** The enterprises' door. */
  edge!: Edge;
  readonly doors = new Map<string, AgentsDoor>();

  private constructor(spec: MeshSpec) {
    this.#spec = spec;
    this.#temporary = spec.dir === undefined;
    this.dir = spec.dir ?? mkdtempSync(join(tmpdir(), 'callmesh-'));
    mkdirSync(this.dir, { recursive: true });
  }

  /** Resolves when every node is up and the door knows them all; what had started is stopped on failure. */
  static async start(spec: MeshSpec): Promise<Mesh> {
    const mesh = new Mesh(spec);
    try {
      await mesh.#start();
      return mesh;
    } catch (error) {
      await mesh.stop();
      throw error;
    }
  }

  /** Ends every process, last started first, and removes a temporary folder. */
  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    // The stores last: whoever says goodbye says it to them.
    const stores = new Set(this.#servers.map(({ process }) => process));
    const rest = this.#processes.filter((process) => !stores.has(process));
    await Promise.all(rest.reverse().map((process) => process.stop()));
    await Promise.all([...stores].map((process) => process.stop()));
    if (this.#temporary) rmSync(this.dir, { recursive: true, force: true });
  }

  /**
   * A gRPC client of one instance, e.g. `client(StateServiceClient, 'state-1')`;
   * closed with the mesh. The mesh's own token unless another is given.
   */
  client<C extends Client>(
    Ctor: Parameters<typeof grpcClient<C>>[1],
    instance: string,
    token = this.token,
  ): C {
    const address = this.service(instance).ready.grpc!;
    const caller = { name: 'local', instance: 'local-1', config: { auth: { token }, grpc: {} } };
    const client = grpcClient(caller, Ctor, address);
    this.#clients.add(client);
    return client;
  }

  service(instance: string): Process {
    const found = this.services.get(instance);
    if (!found) throw new Error(`no service ${instance}; there are ${[...this.services.keys()].join(', ')}`);
    return found;
  }

  node(id: string): MeshNode {
    const found = this.nodes.get(id);
    if (!found) throw new Error(`no node ${id}`);
    return found;
  }

  /** An agents' door; the first unless named. */
  door(id = this.#spec.doors?.[0]?.id ?? ''): AgentsDoor {
    const found = this.doors.get(id);
    if (!found) throw new Error(`no agents' door ${id}`);
    return found;
  }

  /** Id of the node that takes SIP at "ip:port": what a caller sees of it, since the door hides the mesh's headers. */
  nodeAt(sip: string): string {
    return [...this.nodes.values()].find((node) => node.sip === sip)?.spec.id ?? sip;
  }

  /** Changes settings of a stand-in while it runs. */
  async set(id: string, settings: Settings): Promise<void> {
    await this.#control(id, 'set', { method: 'POST', body: JSON.stringify(settings) });
  }

  /** Legs a stand-in carries now, see test/standin/control.ts. */
  async channels(id: string): Promise<Leg[]> {
    return (await (await this.#control(id, 'channels')).json()) as Leg[];
  }

  async #control(id: string, what: string, init: RequestInit = {}): Promise<Response> {
    const answer = await fetch(`http://${this.node(id).server.ready.control}/${what}`, init);
    if (!answer.ok) throw new Error(await answer.text());
    return answer;
  }

  /** Rows of the node table as state's first replica sees them. */
  async table(): Promise<NodeState[]> {
    const client = this.client(StateServiceClient, 'state-1');
    try {
      return (await call(client, 'listNodes', { role: 'NODE_ROLE_UNSPECIFIED', group: '' })).nodes;
    } finally {
      client.close();
      this.#clients.delete(client);
    }
  }

  /** Waits until the table says this of a node. */
  async until(id: string, status: NodeStatus, ms = 15_000): Promise<NodeState> {
    return eventually(
      async () => (await this.table()).find((row) => row.node?.id === id && row.status === status),
      `node ${id} is ${status}`,
      ms,
    );
  }

  get #around(): Surroundings {
    const { telemetry } = this.#spec;
    return { dir: this.dir, etcd: this.etcd.url, nats: this.nats.url, token: this.token, telemetry };
  }

  get #servers(): Server[] {
    return [this.etcd, this.nats, ...this.rtpengines].filter((server) => server !== undefined);
  }

  async #start(): Promise<void> {
    const say = this.#spec.progress ?? (() => {});
    say('etcd, NATS and rtpengine');
    this.etcd = await etcdServer(this.dir);
    this.nats = await natsServer(this.dir);
    const relays = this.#spec.rtpengines ?? 1;
    for (let n = 1; n <= relays; n++) this.rtpengines.push(await rtpengineServer(this.dir, n, relays));
    await Promise.all(this.#servers.map((server) => this.#run(server.process)));
    say('tenant-registry, session-cache, state and policy');
    await Promise.all([
      ...this.#replicas('tenant-registry', { embedded: { storage: 'disk' }, seed: [...this.#spec.seed] }),
      ...this.#replicas('session-cache'),
      ...this.#replicas('state', { console: CONSOLE }),
      ...this.#replicas('policy', this.#spec.policy),
      ...this.#replicas('call-control', { ...this.#spec.callControl }),
    ]);
    say(`${this.#spec.nodes.length} nodes and their agents`);
    await Promise.all([
      ...this.#spec.nodes.map((node) => this.#startNode(node)),
      this.#startPstn(),
      ...(this.#spec.doors ?? []).map((door) => this.#startDoor(door)),
    ]);
    say('every node is registered and known at the door');
    await this.#settled();
  }

  /** Instances are named "<service>-<n>"; the names are taken in order before anything starts. */
  #replicas(service: ServiceName, config: Record<string, unknown> = {}): Promise<unknown>[] {
    const count = this.#spec.replicas?.[service] ?? (service === 'call-control' ? 0 : 1);
    return Array.from({ length: count }, (_, index) =>
      this.#startService(service, `${service}-${index + 1}`, {
        ...config,
        // An embedded database is one instance's own.
        ...(service === 'call-control' && index > 0 && { records: { enabled: false } }),
      }),
    );
  }

  async #startService(
    service: ServiceName,
    instance: string,
    config: Record<string, unknown>,
  ): Promise<Process> {
    const process = serviceProcess(this.#around, service, instance, config);
    this.services.set(instance, process);
    return this.#run(process);
  }

  #run(process: Process): Promise<Process> {
    this.#processes.push(process);
    return process.start();
  }

  /** The two find each other, whichever is there first. */
  async #startNode(spec: NodeSpec): Promise<void> {
    const place = await placeOf(spec, this.dir, this.token);
    const [server, agent] = await Promise.all([
      this.#run(serverOf(spec, place)),
      this.#startService('node-agent', `${spec.id}-agent`, agentConfig(spec, place)),
    ]);
    const { sip, esl, carrier } = place;
    this.nodes.set(spec.id, { spec, server, agent, sip, esl, ...(carrier && { carrier }) });
  }

  get #shared(): Shared {
    const rtpengine = this.rtpengines.map(({ url }) => url).join(' ');
    return { dir: this.dir, token: this.token, ...(rtpengine && { rtpengine }) };
  }

  async #startPstn(): Promise<void> {
    this.edge = await pstnDoor(this.#shared, this.#spec.knobs);
    await this.#startEdge(this.edge);
  }

  async #startDoor(spec: DoorSpec): Promise<void> {
    const door = await agentsDoor(this.#shared, spec);
    this.doors.set(spec.id, { ...door, agent: await this.#startEdge(door.edge) });
  }

  /** Starts a Kamailio, then the agent beside it. */
  async #startEdge(edge: Edge): Promise<Process> {
    await this.#run(edge.process);
    return this.#startService('node-agent', `${edge.id}-agent`, edgeAgentConfig(edge));
  }

  async #settled(): Promise<void> {
    const edges = [this.edge, ...[...this.doors.values()].map(({ edge }) => edge)];
    const wanted = [...this.#spec.nodes, ...edges].map(({ id }) => id).sort();
    await eventually(
      async () => {
        const up = (await this.table()).filter((row) => row.status === NodeStatus.NODE_STATUS_UP);
        return (
          up
            .map((row) => row.node?.id)
            .sort()
            .join() === wanted.join()
        );
      },
      'all nodes and doors are up',
      30_000,
    );
    await Promise.all(edges.map((edge) => this.#knows(edge)));
    // Every policy instance decides from the whole table, not from what it had seen first.
    await Promise.all(
      [...this.services.values()]
        .filter(({ name }) => name.startsWith('policy-'))
        .map((process) => this.#decides(process)),
    );
  }

  /** A door that knows every node its calls go to knows the tenants too: it learns of them first. */
  async #knows({ id, role }: Edge): Promise<void> {
    const target = role === 'kama-wss' ? 'router' : 'media';
    const count = this.#spec.nodes.filter((node) => node.role === target).length;
    const agent = this.client(NodeAgentServiceClient, `${id}-agent`);
    await eventually(
      async () => (await call(agent, 'getStatus', {})).fallbackDestinations >= count,
      `${id} knows all ${target} nodes`,
      15_000,
    );
  }

  async #decides(policy: Process): Promise<void> {
    await eventually(
      async () => {
        const health = (await (await fetch(`http://${policy.ready.http}/health`)).json()) as {
          status: string;
        };
        return health.status === 'ok';
      },
      `${policy.name} is well`,
      15_000,
    );
  }

  /** The registry, for what a test changes while the mesh runs. */
  registry(): TenantRegistryServiceClient {
    return this.client(TenantRegistryServiceClient, 'tenant-registry-1');
  }
}
