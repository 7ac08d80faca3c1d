import type { NodeCommand, NodeCommandResult } from '@callmesh/proto/command';
import {
  CallControlServiceClient,
  type CallControlServiceServer,
  CallControlServiceService,
} from '@callmesh/proto/control';
import type { PolicyServiceClient } from '@callmesh/proto/policy';
import {
  type ResolveDestinationRequest,
  ResolveDestinationResponse,
  type RouteSessionRequest,
  RouteSessionResponse,
} from '@callmesh/proto/policy';
import { Binding, type GetRequest, type SessionCacheServiceClient } from '@callmesh/proto/session';
import {
  App,
  type AuditPublisher,
  call,
  commonConfig,
  fail,
  grpcClient,
  grpcServer,
  type Nats,
  parseConfig,
} from '@callmesh/runtime';
import { pino } from 'pino';
import { z } from 'zod';
import { Decisions } from '../src/adapters/decisions.ts';
import { Places } from '../src/adapters/places.ts';
import { LiveLegs } from '../src/domain/live-legs.ts';
import { Access } from '../src/handlers/access.ts';
import { Commander } from '../src/handlers/commander.ts';
import { controlService } from '../src/handlers/control.ts';
import { MemoryLog } from './memory-log.ts';

const ACME = { name: 'crm-acme', token: 'token-of-the-acme-crm', tenants: ['acme'] };
export const GLOBEX = { name: 'crm-globex', token: 'token-of-the-globex-crm', tenants: ['globex'] };
const MESH_TOKEN = 'a-token-of-the-test-mesh';

export type Rpc = Exclude<keyof typeof CallControlServiceService, 'watchEvents'>;
type Refused = Parameters<AuditPublisher['publish']>[0];
type Done = (error: Error | null, response?: unknown) => void;

/** CallControlService as its clients see it; what it stands on answers as a test says. */
export class Desk {
  /** Commands nodes were given, with the node each went to. */
  readonly sent: (NodeCommand & { readonly nodeId: string })[] = [];
  readonly refused: Refused[] = [];
  readonly sessions = new Map<string, Binding>();
  readonly legs = new LiveLegs();
  readonly asked: { resolve: ResolveDestinationRequest[]; route: RouteSessionRequest[] } = {
    resolve: [],
    route: [],
  };
  carryOut: (nodeId: string, command: NodeCommand) => Partial<NodeCommandResult> = () => ({});
  resolve: () => Partial<ResolveDestinationResponse> = () => ({});
  route: () => Partial<RouteSessionResponse> = () => ({});
  readonly log = new MemoryLog();
  readonly #app = new App(
    'call-control',
    parseConfig(
      z.strictObject(commonConfig),
      JSON.stringify({
        ...{ instance: 'call-control-1', log: { level: 'error' } },
        ...{ auth: { token: MESH_TOKEN }, state_dir: '/tmp' },
      }),
    ),
  );
  readonly #clients: CallControlServiceClient[] = [];
  #address = '';

  static async open(): Promise<Desk> {
    const desk = new Desk();
    const control = desk.#control();
    const clients = [ACME, GLOBEX];
    const bindings = [[CallControlServiceService, control]] as const;
    const server = desk.#app.add(grpcServer(desk.#app, desk.#app.config.grpc, bindings, clients));
    desk.legs.complete = true;
    await desk.#app.lifecycle.start();
    desk.#address = server.address;
    return desk;
  }

  /** Asks by the name of the RPC; what a request does not say has its default. */
  do(rpc: Rpc, request: Record<string, unknown>, token = ACME.token): Promise<object> {
    const empty = CallControlServiceService[rpc].requestDeserialize(Buffer.alloc(0));
    const caller = { name: 'test', instance: 'test-1', config: { auth: { token }, grpc: {} } };
    const client = grpcClient(caller, CallControlServiceClient, this.#address);
    this.#clients.push(client);
    return call(client, rpc, { ...empty, ...request } as never);
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.#app.lifecycle.shutdown();
  }

  #control(): CallControlServiceServer {
    const access = new Access({ publish: (refusal: Refused) => void this.refused.push(refusal) });
    const places = new Places(this.#sessionCache(), this.legs);
    const decisions = new Decisions(this.#policy(), 'call-control-1');
    const commander = new Commander({
      ...{ access, places, log: this.log },
      metrics: { commanded: () => {} },
      logger: pino({ level: 'silent' }),
      send: async (nodeId, command) => {
        this.sent.push({ ...command, nodeId });
        return resultOf(this.carryOut(nodeId, command));
      },
    });
    let count = 0;
    const newUuid = () => `00000000-0000-4000-8000-${String(++count).padStart(12, '0')}`;
    return controlService({
      commander,
      access,
      places,
      decisions,
      nats: undefined as unknown as Nats,
      newUuid,
    });
  }

  #sessionCache(): SessionCacheServiceClient {
    return unary({
      get: ({ key }: GetRequest) => {
        const found = key?.$case === 'sessionId' ? this.sessions.get(key.value) : undefined;
        if (!found) throw fail('not_found', 'no such binding');
        return Binding.fromPartial(found);
      },
    });
  }

  #policy(): PolicyServiceClient {
    return unary({
      resolveDestination: (request: ResolveDestinationRequest) => {
        this.asked.resolve.push(request);
        return ResolveDestinationResponse.fromPartial(this.resolve());
      },
      routeSession: (request: RouteSessionRequest) => {
        this.asked.route.push(request);
        return RouteSessionResponse.fromPartial(this.route());
      },
    });
  }
}

function resultOf(partial: Partial<NodeCommandResult>): NodeCommandResult {
  const none = { commandId: '', errorCode: '', errorMessage: '', errorField: '', digits: '', terminator: '' };
  return { ...none, recording: '', repeated: false, ...partial };
}

/** A client whose methods are functions of the request. */
function unary<C>(methods: Record<string, (request: never) => unknown>): C {
  const invoke =
    (method: (request: never) => unknown) => (request: never, _m: unknown, _o: unknown, done: Done) => {
      queueMicrotask(() => {
        try {
          done(null, method(request));
        } catch (error) {
          done(error as Error);
        }
      });
      return { cancel: () => {} };
    };
  return Object.fromEntries(Object.entries(methods).map(([name, method]) => [name, invoke(method)])) as C;
}
