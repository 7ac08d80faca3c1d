import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { etcdServer, eventually, natsServer, type Process, type Server } from '@callmesh/local';
import { CallEvent } from '@callmesh/proto/call';
import type { NodeCommand, NodeCommandResult } from '@callmesh/proto/command';
import { CallControlServiceClient } from '@callmesh/proto/control';
import {
  PolicyServiceService,
  type ResolveDestinationRequest,
  ResolveDestinationResponse,
  RouteSessionResponse,
} from '@callmesh/proto/policy';
import { Binding, SessionCacheServiceClient } from '@callmesh/proto/session';
import {
  type App,
  CallPublisher,
  type Component,
  call,
  consumeAuditBatches,
  grpcClient,
  grpcServer,
  Nats,
  serveCommands,
  unaryHandler,
} from '@callmesh/runtime';
import { serviceProcess } from '../../deploy/local/src/service.ts';
import { TOKEN, testApp } from '../support/app.ts';

const ACME = { name: 'crm-acme', token: 'token-of-the-acme-crm', tenants: ['acme'] };
export const GLOBEX = { name: 'crm-globex', token: 'token-of-the-globex-crm', tenants: ['globex'] };
export const NODE = { id: 'fs-media-1', epoch: '11111111-1111-1111-1111-111111111111' };

type Resolution = Partial<ResolveDestinationResponse>;
type CarryOut = (command: NodeCommand) => Promise<Partial<NodeCommandResult>>;

/** call-control's replicas with real stores, a policy that answers as told, and a node that notes what it is told. */
export class Stage {
  readonly dir = mkdtempSync(join(tmpdir(), 'call-control-'));
  readonly replicas: Process[] = [];
  /** Commands the node was given, in order. */
  readonly commands: NodeCommand[] = [];
  readonly refusals: { what: string; tenantId: string; actor: string }[] = [];
  /** What policy was asked, and by whom. */
  readonly asked: (ResolveDestinationRequest & { readonly actor: string })[] = [];
  carryOut: CarryOut = async () => ({});
  resolve: (request: ResolveDestinationRequest) => Resolution | Promise<Resolution> = () => ({});
  nats!: Nats;
  natsServer!: Server;
  calls!: CallPublisher;
  #app!: App;
  #sessions!: SessionCacheServiceClient;
  #node: { close(): void } | undefined;
  #audit: Component | undefined;
  readonly #processes: Process[] = [];
  readonly #clients: { close(): void }[] = [];
  #sequence = 0;

  static async start(replicas = 2): Promise<Stage> {
    const stage = new Stage();
    const etcd = await etcdServer(stage.dir);
    stage.natsServer = await natsServer(stage.dir);
    await Promise.all([stage.#run(etcd.process), stage.#run(stage.natsServer.process)]);
    stage.#app = testApp('test', {
      etcd: { endpoints: [etcd.url] },
      nats: { servers: [stage.natsServer.url] },
    });
    stage.nats = stage.#app.add(new Nats(stage.#app, stage.#app.config.nats));
    stage.calls = stage.#app.add(new CallPublisher(stage.#app, stage.nats));
    const policy = stage.#app.add(stage.#policy());
    await stage.#app.lifecycle.start();
    stage.answerAsNode();
    stage.#audit = consumeAuditBatches(stage.#app, stage.nats, 'test', async (events) => {
      stage.refusals.push(...events.map(({ what, tenantId, actor }) => ({ what, tenantId, actor })));
    });
    await stage.#audit.start?.();
    const around = { dir: stage.dir, etcd: etcd.url, nats: stage.natsServer.url, token: TOKEN };
    const cache = await stage.#run(serviceProcess(around, 'session-cache', 'session-cache-1'));
    stage.#sessions = stage.#kept(
      grpcClient(callerWith(TOKEN), SessionCacheServiceClient, cache.ready.grpc!),
    );
    for (let n = 1; n <= replicas; n++)
      stage.replicas.push(
        await stage.#run(
          serviceProcess(around, 'call-control', `call-control-${n}`, {
            clients: [ACME, GLOBEX],
            services: { policy: policy.address },
            records: { enabled: false },
          }),
        ),
      );
    return stage;
  }

  /** The node's agent is there, and does what `carryOut` says. */
  answerAsNode(): void {
    this.#node?.close();
    this.#node = serveCommands(this.nats, NODE.id, (command) => {
      this.commands.push(command);
      return this.carryOut(command);
    });
  }

  /** The node's agent is gone. */
  silenceNode(): void {
    this.#node?.close();
  }

  control(replica = 0, token = ACME.token): CallControlServiceClient {
    const { grpc } = this.replicas[replica]!.ready;
    return this.#kept(grpcClient(callerWith(token), CallControlServiceClient, grpc!));
  }

  /** True while a replica lacks nothing. */
  async isWell(replica: number): Promise<boolean> {
    const answer = await fetch(`http://${this.replicas[replica]!.ready.http}/health`);
    return ((await answer.json()) as { status: string }).status === 'ok';
  }

  /** Bytes of memory a replica holds. */
  memory(replica: number): number {
    const status = readFileSync(`/proc/${this.replicas[replica]!.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
  }

  /** Binds a session to the node, as policy does when a call is routed. */
  async bind(sessionId: string, tenantId = 'acme'): Promise<void> {
    const binding = Binding.fromPartial({
      ...{
        sessionId,
        tenantId,
        callId: `${sessionId}@pbx`,
        affinityKey: '',
        nodeId: NODE.id,
        nodeEpoch: NODE.epoch,
      },
      ...{ role: 'NODE_ROLE_MEDIA', function: 'FUNCTION_GENERAL', groupId: 'media', edgeId: '', trunkId: '' },
      ...{ state: 'BINDING_STATE_UNSPECIFIED', createdAt: undefined, revision: 0 },
    });
    await eventually(
      () => call(this.#sessions, 'bind', { correlation: 0, binding, replaceDead: [] }),
      `session ${sessionId} is bound`,
    );
  }

  /** Tells what happened to a leg, as its node's agent does. */
  tell(event: string, sessionId: string, legUuid: string, more: Partial<CallEvent> = {}): void {
    this.#sequence += 1;
    this.calls.publish(
      CallEvent.fromPartial({
        ...{ event, tenantId: 'acme', sessionId, legUuid, callId: `${sessionId}@pbx`, nodeId: NODE.id },
        ...{
          nodeEpoch: NODE.epoch,
          role: 'NODE_ROLE_MEDIA',
          at: new Date(),
          sequence: this.#sequence,
          ...more,
        },
      }),
    );
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    this.silenceNode();
    await this.#audit?.stop?.();
    for (const process of this.#processes.slice(2).reverse()) await process.stop();
    await this.#app?.lifecycle.shutdown();
    for (const process of this.#processes.slice(0, 2)) await process.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }

  async #run(process: Process): Promise<Process> {
    this.#processes.push(process);
    return process.start();
  }

  #kept<C extends { close(): void }>(client: C): C {
    this.#clients.push(client);
    return client;
  }

  #policy() {
    const methods = {
      resolveDestination: unaryHandler(async (request: ResolveDestinationRequest, { actor }) => {
        this.asked.push({ ...request, actor });
        return ResolveDestinationResponse.fromPartial(await this.resolve(request));
      }),
      routeSession: unaryHandler(() =>
        RouteSessionResponse.fromPartial({
          sessionId: 'aaaabbbbccccdddd',
          tenantId: 'acme',
          function: 'FUNCTION_GENERAL',
          targets: [{ nodeId: NODE.id, sipUri: 'sip:127.0.0.1:5060', epoch: NODE.epoch }],
        }),
      ),
    };
    return grpcServer(this.#app, this.#app.config.grpc, [[PolicyServiceService, methods as never]]);
  }
}

/** Whoever holds this token. */
function callerWith(token: string) {
  return { name: 'test', instance: 'test-1', config: { auth: { token }, grpc: {} } };
}
