import { Node, NodeRole } from '@callmesh/proto/node';
import { NodeState, NodeStatus, StateServiceService, WatchNodesEvent } from '@callmesh/proto/state';
import { Kind, type Resource, TenantRegistryServiceService, WatchEvent } from '@callmesh/proto/tenant';
import { fail, grpcServer, streamHandler, unaryHandler } from '@callmesh/runtime';
import { testApp } from '../support/app.ts';

type Send<T> = (event: T) => void;

/** A watch of one fake service: those that listen, and what each is told first. */
class Feed<T> {
  readonly #listeners = new Set<Send<T>>();
  readonly #snapshot: () => T[];

  constructor(snapshot: () => T[]) {
    this.#snapshot = snapshot;
  }

  tell(event: T): void {
    for (const send of this.#listeners) send(event);
  }

  handler() {
    return streamHandler<unknown, T>(async (_, { signal }, write) => {
      for (const event of this.#snapshot()) await write(event);
      const send: Send<T> = (event) => void write(event).catch(() => {});
      this.#listeners.add(send);
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      this.#listeners.delete(send);
    });
  }
}

const refused = unaryHandler(() => {
  throw fail('not_found', 'not in this test');
});

/** Everything but these methods refuses. */
function implementation(definition: object, methods: Record<string, unknown>) {
  return {
    ...Object.fromEntries(Object.keys(definition).map((name) => [name, refused])),
    ...methods,
  } as never;
}

/** The node table and the registry as an edge's agent sees them; both can go away and come back. */
export class FakeSources {
  readonly rows = new Map<string, NodeState>();
  readonly resources: Resource[] = [];
  readonly #state = new Feed<WatchNodesEvent>(() => [
    ...[...this.rows.values()].map((value) => WatchNodesEvent.create({ event: { $case: 'put', value } })),
    WatchNodesEvent.create({ event: { $case: 'snapshotDone', value: {} } }),
  ]);
  readonly #registry = new Feed<WatchEvent>(() => [
    ...this.resources.map((value) => WatchEvent.create({ event: { $case: 'put', value } })),
    WatchEvent.create({ event: { $case: 'snapshotDone', value: {} } }),
  ]);
  #server: ReturnType<typeof grpcServer> | undefined;
  #address = '127.0.0.1:0';

  get address(): string {
    return this.#address;
  }

  /** Serves both; the second time at the same address. */
  async start(): Promise<void> {
    const app = testApp('sources');
    this.#server = grpcServer(app, { ...app.config.grpc, listen: this.#address }, [
      [StateServiceService, implementation(StateServiceService, { watchNodes: this.#state.handler() })],
      [
        TenantRegistryServiceService,
        implementation(TenantRegistryServiceService, { watch: this.#registry.handler() }),
      ],
    ]);
    await this.#server.start?.();
    this.#address = this.#server.address;
  }

  async stop(): Promise<void> {
    await this.#server?.stop?.();
    this.#server = undefined;
  }

  node(
    id: string,
    group: string,
    port: number,
    status: NodeStatus = NodeStatus.NODE_STATUS_UP,
    role: NodeRole = NodeRole.NODE_ROLE_MEDIA,
  ): NodeState {
    const sipUri = `sip:127.0.0.1:${port};transport=udp`;
    const node = Node.create({
      id,
      role,
      group,
      sipUri,
      epoch: `epoch-${id}`,
      weight: 1,
    });
    const row = NodeState.create({ node, status });
    this.rows.set(id, row);
    this.#state.tell(WatchNodesEvent.create({ event: { $case: 'put', value: row } }));
    return row;
  }

  remove(id: string): void {
    this.rows.delete(id);
    this.#state.tell(WatchNodesEvent.create({ event: { $case: 'removedNodeId', value: id } }));
  }

  put(...resources: Resource[]): void {
    for (const value of resources) {
      this.resources.push(value);
      this.#registry.tell(WatchEvent.create({ event: { $case: 'put', value } }));
    }
  }

  removeTrunk(id: string): void {
    const at = this.resources.findIndex(({ value }) => value?.$case === 'trunk' && value.value.id === id);
    this.resources.splice(at, 1);
    const value = { kind: Kind.KIND_TRUNK, id, tenantId: '' };
    this.#registry.tell(WatchEvent.create({ event: { $case: 'removed', value } }));
  }
}
