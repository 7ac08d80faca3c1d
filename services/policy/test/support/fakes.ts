import { Node, NodeRole } from '@callmesh/proto/node';
import {
  type Binding,
  type BindRequest,
  type BindResponse,
  type GetRegistrationsRequest,
  GetRegistrationsResponse,
  type GetRequest,
  SessionCacheServiceService,
  WatchEvent as SessionWatchEvent,
} from '@callmesh/proto/session';
import { NodeState, NodeStatus, StateServiceService, WatchNodesEvent } from '@callmesh/proto/state';
import {
  Agent,
  Direction,
  FunctionMessage,
  NodeGroup,
  NumberRule,
  Party,
  Tenant,
  TenantApp,
  TenantRegistryServiceService,
  WatchEvent as TenantWatchEvent,
  Trunk,
  TrunkAuth,
  TrunkKind,
} from '@callmesh/proto/tenant';
import { roleOf } from '@callmesh/runtime';
import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';

/** The services policy asks, on one port, as little of them as it needs. */
export class FakeServices {
  readonly bindings = new Map<string, Binding>();
  /** Router by agent. */
  readonly registeredAt = new Map<string, string>();
  readonly #nodeWatches = new Set<ServerWritableStream<unknown, WatchNodesEvent>>();
  readonly #sessionWatches = new Set<ServerWritableStream<unknown, SessionWatchEvent>>();
  /** While true, binds get no answer. */
  mute = false;
  port = 0;
  #server: Server | undefined;

  async start(): Promise<void> {
    const server = new Server();
    const unused = () => {};
    server.addService(
      TenantRegistryServiceService,
      new Proxy({}, { get: (_, name) => (name === 'watch' ? watchTenants : unused) }),
    );
    server.addService(
      StateServiceService,
      new Proxy({}, { get: (_, name) => (name === 'watchNodes' ? this.#watchNodes : unused) }),
    );
    const sessions: Record<string, unknown> = {
      watch: this.#watchSessions,
      bindStream: this.#bindStream,
      get: this.#get,
      getRegistrations: this.#getRegistrations,
    };
    server.addService(
      SessionCacheServiceService,
      new Proxy({}, { get: (_, name) => sessions[String(name)] ?? unused }),
    );
    this.port = await new Promise<number>((resolve, reject) =>
      server.bindAsync(`127.0.0.1:${this.port}`, ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      ),
    );
    this.#server = server;
  }

  stop(): void {
    this.#server?.forceShutdown();
  }

  setNode(id: string, nodeStatus: NodeStatus): void {
    for (const watch of this.#nodeWatches) watch.write(nodePut(id, nodeStatus));
  }

  readonly #watchNodes = (call: ServerWritableStream<unknown, WatchNodesEvent>) => {
    for (const id of Object.keys(NODES)) call.write(nodePut(id, NodeStatus.NODE_STATUS_UP));
    call.write(WatchNodesEvent.fromPartial({ event: { $case: 'snapshotDone', value: {} } }));
    this.#nodeWatches.add(call);
    call.once('cancelled', () => this.#nodeWatches.delete(call));
  };

  readonly #watchSessions = (call: ServerWritableStream<unknown, SessionWatchEvent>) => {
    for (const value of this.bindings.values())
      call.write(SessionWatchEvent.fromPartial({ event: { $case: 'put', value } }));
    call.write(SessionWatchEvent.fromPartial({ event: { $case: 'snapshotDone', value: {} } }));
    this.#sessionWatches.add(call);
    call.once('cancelled', () => this.#sessionWatches.delete(call));
  };

  readonly #bindStream = (call: ServerDuplexStream<BindRequest, BindResponse>) => {
    call.on('data', ({ correlation, binding, replaceDead }: BindRequest) => {
      if (this.mute || !binding) return;
      const held = [...this.bindings.values()].find(
        ({ tenantId, callId }) => tenantId === binding.tenantId && callId === binding.callId,
      );
      const dead =
        held && replaceDead.some(({ nodeId, epoch }) => nodeId === held.nodeId && epoch === held.nodeEpoch);
      const holder = held && !dead ? held : binding;
      if (dead) this.bindings.delete(held.sessionId);
      this.bindings.set(holder.sessionId, holder);
      call.write({ correlation, binding: holder, created: holder === binding, error: '' });
      for (const watch of this.#sessionWatches)
        watch.write(SessionWatchEvent.fromPartial({ event: { $case: 'put', value: holder } }));
    });
    call.on('end', () => call.end());
    call.on('error', () => {});
  };

  readonly #getRegistrations = (
    call: ServerUnaryCall<GetRegistrationsRequest, GetRegistrationsResponse>,
    callback: sendUnaryData<GetRegistrationsResponse>,
  ) => {
    if (this.mute) return;
    const { aor } = call.request;
    const routerId = this.registeredAt.get(aor);
    const registration = {
      aor,
      tenantId: 'acme',
      contact: 'sip:a@192.0.2.7',
      path: ['<sip:10.0.9.2;lr>'],
      routerId,
    };
    callback(null, GetRegistrationsResponse.fromPartial({ registrations: routerId ? [registration] : [] }));
  };

  readonly #get = (call: ServerUnaryCall<GetRequest, Binding>, callback: sendUnaryData<Binding>) => {
    const { key } = call.request;
    const held = [...this.bindings.values()].find(
      ({ callId }) => key?.$case === 'callId' && key.value === callId,
    );
    if (held) callback(null, held);
    else callback({ code: status.NOT_FOUND, details: 'no such binding' });
  };
}

const NODES: Record<string, { readonly role: NodeRole; readonly group: string }> = {
  'fs-1': { role: NodeRole.NODE_ROLE_MEDIA, group: 'media-a' },
  'fs-2': { role: NodeRole.NODE_ROLE_MEDIA, group: 'media-a' },
  'fs-router-3': { role: NodeRole.NODE_ROLE_ROUTER, group: 'routers' },
  'fs-router-4': { role: NodeRole.NODE_ROLE_ROUTER, group: 'routers' },
  'fs-tandem-5': { role: NodeRole.NODE_ROLE_TANDEM, group: 'tandems' },
};

function nodePut(id: string, nodeStatus: NodeStatus): WatchNodesEvent {
  const node = Node.fromPartial({
    id,
    ...NODES[id],
    sipUri: `sip:10.0.0.${id.slice(-1)}:5060;transport=udp`,
    zone: '',
    weight: 1,
    maxSessions: 100,
    epoch: `epoch-${id}`,
  });
  return WatchNodesEvent.fromPartial({
    event: { $case: 'put', value: NodeState.fromPartial({ node, status: nodeStatus }) },
  });
}

const ALICE = { id: 'alice@acme.example', extension: '100', voicemail: true };
const RULE = {
  id: 'acme-carrier/outbound/called/1',
  trunkId: 'acme-carrier',
  direction: Direction.DIRECTION_OUTBOUND,
  party: Party.PARTY_CALLED,
  position: 1,
  match: '+49',
  strip: 3,
  prepend: '0',
};
const GROUPS = { media: 'media-a', router: 'routers', tandem: 'tandems' } as const;

function linkTo(role: keyof typeof GROUPS) {
  return {
    $case: 'tenantApp',
    value: TenantApp.fromPartial({
      id: `acme/general/${role}`,
      tenantId: 'acme',
      function: FunctionMessage.FUNCTION_GENERAL,
      groupId: GROUPS[role],
      role: roleOf(role),
    }),
  } as const;
}

function watchTenants(call: ServerWritableStream<unknown, TenantWatchEvent>): void {
  const values = [
    {
      $case: 'tenant',
      value: Tenant.fromPartial({ id: 'acme', name: 'Acme', domain: 'acme.example', enabled: true }),
    },
    { $case: 'nodeGroup', value: NodeGroup.fromPartial({ id: 'media-a', role: NodeRole.NODE_ROLE_MEDIA }) },
    ...(['media', 'router', 'tandem'] as const).map(linkTo),
    {
      $case: 'agent',
      value: Agent.fromPartial({ ...ALICE, tenantId: 'acme', username: 'alice', enabled: true }),
    },
    { $case: 'numberRule', value: NumberRule.fromPartial(RULE) },
    {
      $case: 'trunk',
      value: Trunk.fromPartial({
        id: 'acme-carrier',
        tenantId: 'acme',
        kind: TrunkKind.TRUNK_KIND_CARRIER,
        auth: TrunkAuth.TRUNK_AUTH_ADDRESS,
        contactUri: 'sip:192.0.2.30',
        callerNumber: '+4930100',
        enabled: true,
      }),
    },
    {
      $case: 'trunk',
      value: Trunk.fromPartial({
        id: 'acme-pbx',
        tenantId: 'acme',
        kind: TrunkKind.TRUNK_KIND_HYBRID,
        auth: TrunkAuth.TRUNK_AUTH_ADDRESS,
        sourceAddresses: ['192.0.2.10'],
        enabled: true,
      }),
    },
  ] as const;
  for (const value of values)
    call.write(TenantWatchEvent.fromPartial({ event: { $case: 'put', value: { value } } }));
  call.write(TenantWatchEvent.fromPartial({ event: { $case: 'snapshotDone', value: {} } }));
}
