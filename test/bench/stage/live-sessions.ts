import { randomBytes, randomUUID } from 'node:crypto';
import { eventually } from '@callmesh/local';
import { CallEvent } from '@callmesh/proto/call';
import { type Node, NodeRole } from '@callmesh/proto/node';
import {
  Binding,
  BindingState,
  BindRequest,
  GetRequest,
  SessionCacheServiceClient,
} from '@callmesh/proto/session';
import { FunctionMessage } from '@callmesh/proto/tenant';
import { CallPublisher, call, Nats } from '@callmesh/runtime';
import { testApp } from '../../support/app.ts';
import type { Platform } from './platform.ts';

/** So many are bound and confirmed before the next begin: an unconfirmed one is dropped after a minute. */
const CHUNK = 2_000;
const AT_ONCE = 64;
const CONFIRMED_MS = 50_000;

/** A session with its two legs, as its node tells of it. */
interface Live {
  readonly sessionId: string;
  readonly tenantId: string;
  readonly callId: string;
  readonly node: Node;
  readonly legs: readonly string[];
}

/** Sessions of a platform whose nodes only speak: bound, confirmed by the events of their two legs, and ended by them. */
export class LiveSessions {
  readonly client: SessionCacheServiceClient;
  readonly #platform: Platform;
  readonly #nats: Nats;
  readonly #events: CallPublisher;
  readonly #live: Live[] = [];
  #made = 0;

  private constructor(platform: Platform) {
    const app = testApp('live');
    this.#platform = platform;
    this.client = platform.mesh.client(SessionCacheServiceClient, 'session-cache-1');
    this.#nats = new Nats(app, { servers: [platform.mesh.nats.url], replicas: 1 });
    this.#events = new CallPublisher(app, this.#nats);
  }

  static async open(platform: Platform): Promise<LiveSessions> {
    const sessions = new LiveSessions(platform);
    await sessions.#nats.start();
    return sessions;
  }

  async close(): Promise<void> {
    await this.#events.stop();
    await this.#nats.stop();
  }

  /** Makes so many live ones. */
  async fill(count: number): Promise<void> {
    for (let left = count; left > 0; left -= CHUNK) {
      const proposals = Array.from({ length: Math.min(left, CHUNK) }, () => this.proposal());
      const lane = async () => {
        for (let next = proposals.pop(); next; next = proposals.pop()) {
          const { binding } = await this.bind(next);
          this.#begin(binding!, binding!.nodeId);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, lane));
      await this.#confirmed(this.#live.at(-1)!);
    }
  }

  bind(binding: Binding) {
    return call(this.client, 'bind', BindRequest.fromPartial({ correlation: 1, binding }));
  }

  /** A new one as policy would propose it. */
  proposal(): Binding {
    const { callers, fleet } = this.#platform;
    const at = this.#made++;
    const { tenant, address } = callers[at % callers.length]!;
    const { id, epoch, group } = fleet.nodes[at % fleet.nodes.length]!;
    return Binding.fromPartial({
      ...{
        sessionId: randomBytes(8).toString('hex'),
        tenantId: tenant,
        callId: `${randomUUID()}@${address}`,
      },
      ...{ nodeId: id, nodeEpoch: epoch, role: NodeRole.NODE_ROLE_MEDIA, groupId: group },
      ...{ function: FunctionMessage.FUNCTION_GENERAL, edgeId: 'kama-pstn-1', trunkId: `${tenant}-pbx` },
    });
  }

  /** A call that policy has given to a node is there; the one longest live is over. */
  replace(session: Pick<Binding, 'sessionId' | 'tenantId' | 'callId'>, nodeId: string): void {
    this.#begin(session, nodeId);
    this.#end(this.#live.shift()!);
  }

  #begin(
    { sessionId, tenantId, callId }: Pick<Binding, 'sessionId' | 'tenantId' | 'callId'>,
    nodeId: string,
  ): void {
    const node = this.#platform.fleet.nodes.find(({ id }) => id === nodeId)!;
    const live = { sessionId, tenantId, callId, node, legs: [randomUUID(), randomUUID()] };
    for (const at of live.legs.keys()) this.#tell('created', live, at);
    this.#live.push(live);
  }

  #end(live: Live): void {
    for (const at of live.legs.keys()) this.#tell('hangup', live, at);
  }

  /** The second leg is the one the node calls out with. */
  #tell(event: 'created' | 'hangup', { sessionId, tenantId, callId, node, legs }: Live, at: number): void {
    this.#events.publish(
      CallEvent.fromPartial({
        ...{ event, sessionId, tenantId, legUuid: legs[at]!, callId: at === 0 ? callId : legs[at]! },
        ...{ nodeId: node.id, nodeEpoch: node.epoch, role: node.role, outbound: at > 0 },
        ...{ at: new Date(), sequence: event === 'created' ? 1 : 2 },
      }),
    );
  }

  async #confirmed({ sessionId }: Live): Promise<void> {
    const question = GetRequest.fromPartial({ key: { $case: 'sessionId', value: sessionId } });
    await eventually(
      async () => (await call(this.client, 'get', question)).state === BindingState.BINDING_STATE_CONFIRMED,
      'what was bound is confirmed',
      CONFIRMED_MS,
    );
  }
}
