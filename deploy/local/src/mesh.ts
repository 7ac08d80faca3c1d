import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeAgentServiceClient } from '@callmesh/proto/node';
import { type NodeState, NodeStatus, StateServiceClient } from '@callmesh/proto/state';
import { TenantRegistryServiceClient } from '@callmesh/proto/tenant';
import { call, grpcClient, type RoleName } from '@callmesh/runtime';
import type { Client } from '@grpc/grpc-js';
import { type EventSocket, freeswitchNode } from './freeswitch.ts';
import { type Edge, kamailioEdge } from './kamailio.ts';
import { ROOT } from './paths.ts';
import { freePort } from './ports.ts';
import { eventually, Process } from './process.ts';
import { etcdServer, natsServer, rtpengineServer, type Server } from './servers.ts';
import { type ServiceName, type Surroundings, serviceProcess } from './service.ts';

export interface NodeSpec {
  readonly id: string;
  readonly role: Exclude<RoleName, 'kama-wss' | 'kama-pstn'>;
  readonly group: string;
  /** Channels it carries; 0 means no limit. */
  readonly max?: number;
  readonly zone?: string;
  readonly weight?: number;
  /** What carries the calls; a stand-in unless told. */
  readonly server?: 'standin' | 'freeswitch';
  /** Settings of the stand-in, see test/standin/node/settings.ts. */
  readonly set?: Record<string, string | number | boolean>;
}

export interface MeshSpec {
  /** Folder for logs and data; a temporary one, removed at the end, unless given. */
  readonly dir?: string;
  /** YAML files (docs/operations.md, Tenants as YAML) that the registry starts with. */
  readonly seed: readonly string[];
  readonly nodes: readonly NodeSpec[];
  /** How many instances of a service; one unless told. */
  readonly replicas?: Partial<Record<ServiceName, number>>;
  readonly rtpengine?: boolean;
  /** Further keys of policy's config. */
  readonly policy?: Record<string, unknown>;
  /** Knobs of the door that differ from kamailio/params/knobs.cfg. */
  readonly knobs?: Record<string, string>;
  readonly progress?: (what: string) => void;
}

/** A node of the mesh: the server and the agent beside it. */
export interface MeshNode {
  readonly spec: NodeSpec;
  readonly server: Process;
  readonly agent: Process;
  /** "127.0.0.1:port" it takes SIP at. */
  readonly sip: string;
  readonly esl: EventSocket;
}

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
  rtpengine: Server | undefined;
  edge!: Edge;

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
    const [stores, rest] = [this.#processes.slice(0, 3), this.#processes.slice(3)];
    await Promise.all(rest.reverse().map((process) => process.stop()));
    await Promise.all(stores.map((process) => process.stop()));
    if (this.#temporary) rmSync(this.dir, { recursive: true, force: true });
  }

  /** A gRPC client of one instance, e.g. `client(StateServiceClient, 'state-1')`; closed with the mesh. */
  client<C extends Client>(Ctor: Parameters<typeof grpcClient<C>>[1], instance: string): C {
    const address = this.service(instance).ready.grpc!;
    const caller = { name: 'local', instance: 'local-1', config: { auth: { token: this.token }, grpc: {} } };
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

  /** Id of the node that takes SIP at "ip:port": what a caller sees of it, since the door hides the mesh's headers. */
  nodeAt(sip: string): string {
    return [...this.nodes.values()].find((node) => node.sip === sip)?.spec.id ?? sip;
  }

  /** Changes settings of a stand-in while it runs. */
  async set(id: string, settings: Record<string, string | number | boolean>): Promise<void> {
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
    return { dir: this.dir, etcd: this.etcd.url, nats: this.nats.url, token: this.token };
  }

  async #start(): Promise<void> {
    const say = this.#spec.progress ?? (() => {});
    say('etcd, NATS and rtpengine');
    this.etcd = await etcdServer(this.dir);
    this.nats = await natsServer(this.dir);
    this.rtpengine = this.#spec.rtpengine === false ? undefined : await rtpengineServer(this.dir);
    const servers = [this.etcd, this.nats, this.rtpengine].filter((server) => server !== undefined);
    await Promise.all(servers.map((server) => this.#run(server.process)));
    say('tenant-registry, session-cache, state and policy');
    await Promise.all([
      ...this.#replicas('tenant-registry', { embedded: { storage: 'disk' }, seed: [...this.#spec.seed] }),
      ...this.#replicas('session-cache'),
      ...this.#replicas('state'),
      ...this.#replicas('policy', this.#spec.policy),
    ]);
    say(`${this.#spec.nodes.length} nodes and their agents`);
    await Promise.all([...this.#spec.nodes.map((node) => this.#startNode(node)), this.#startEdge()]);
    say('every node is registered and known at the door');
    await this.#settled();
  }

  /** Instances are named "<service>-<n>"; the names are taken in order before anything starts. */
  #replicas(service: ServiceName, config: Record<string, unknown> = {}): Promise<unknown>[] {
    const count = this.#spec.replicas?.[service] ?? 1;
    return Array.from({ length: count }, (_, index) =>
      this.#startService(service, `${service}-${index + 1}`, config),
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

  async #startNode(spec: NodeSpec): Promise<void> {
    const { id, role, group, max = 0 } = spec;
    // Fixed ports: a node that is restarted is found where it was.
    const sip = `127.0.0.1:${await freePort()}`;
    const esl = { port: await freePort(), password: `esl-${this.token}` };
    const server = await this.#run(
      spec.server === 'freeswitch'
        ? freeswitchNode({ id, role, dir: join(this.dir, id), sip, esl, max })
        : this.#standin(spec, sip, esl),
    );
    const agent = await this.#startService('node-agent', `${id}-agent`, {
      node: {
        id,
        role,
        group,
        sip_uri: `sip:${sip};transport=udp`,
        max_sessions: max,
        ...(spec.zone && { zone: spec.zone }),
        ...(spec.weight && { weight: spec.weight }),
      },
      backend: { kind: 'freeswitch', esl: { host: '127.0.0.1', ...esl } },
    });
    this.nodes.set(id, { spec, server, agent, sip, esl });
  }

  #standin(spec: NodeSpec, sip: string, esl: EventSocket): Process {
    return new Process({
      name: spec.id,
      command: process.execPath,
      args: [
        ...[join(ROOT, 'test/standin/standin.mjs'), '--id', spec.id, '--password', esl.password],
        ...['--sip', sip, '--esl', `127.0.0.1:${esl.port}`],
        ...['--control', '127.0.0.1:0', '--max', String(spec.max ?? 0), '--heartbeat', '2'],
        ...Object.entries(spec.set ?? {}).flatMap(([name, value]) => ['--set', `${name}=${value}`]),
      ],
      log: join(this.dir, `${spec.id}.log`),
    });
  }

  async #startEdge(): Promise<void> {
    const id = 'kama-pstn-1';
    this.edge = await kamailioEdge({
      id,
      role: 'kama-pstn',
      dir: join(this.dir, id),
      sipPort: await freePort(),
      token: this.token,
      ...(this.rtpengine && { rtpengine: this.rtpengine.url }),
      ...(this.#spec.knobs && { defines: this.#spec.knobs }),
    });
    await this.#run(this.edge.process);
    await this.#startService('node-agent', `${id}-agent`, {
      node: { id, role: 'kama-pstn', sip_uri: `sip:127.0.0.1:${this.edge.sipPort};transport=udp` },
      backend: {
        kind: 'kamailio',
        fifo: this.edge.fifo,
        reply_dir: this.edge.replyDir,
        dispatcher_list: this.edge.dispatcherList,
        address_list: this.edge.addressList,
      },
    });
  }

  async #settled(): Promise<void> {
    const wanted = this.#spec.nodes.map(({ id }) => id);
    await eventually(
      async () => {
        const up = (await this.table()).filter((row) => row.status === NodeStatus.NODE_STATUS_UP);
        return wanted.every((id) => up.some((row) => row.node?.id === id)) && up.length === wanted.length + 1;
      },
      'all nodes and the door are up',
      30_000,
    );
    const agent = this.client(NodeAgentServiceClient, 'kama-pstn-1-agent');
    await eventually(
      async () => (await call(agent, 'getStatus', {})).fallbackDestinations >= this.#mediaNodes,
      'the door knows all media nodes',
      15_000,
    );
    // Every policy instance decides from the whole table, not from what it had seen first.
    await Promise.all(
      [...this.services.values()]
        .filter(({ name }) => name.startsWith('policy-'))
        .map((process) => this.#decides(process)),
    );
  }

  get #mediaNodes(): number {
    return this.#spec.nodes.filter(({ role }) => role === 'media').length;
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
