import { Decided } from '@callmesh/proto/policy';
import { aboutCall, type CallmeshError, fail, toCallmeshError } from '@callmesh/runtime';
import type { Logger } from 'pino';
import { decide } from '../domain/decide.ts';
import { type Decision, isResent, proposalOf, settle } from '../domain/decision.ts';
import type { Binding } from '../domain/model.ts';
import type { RouteRequest } from '../domain/request.ts';
import type { Mesh } from '../mesh.ts';
import type { RoutingMetrics } from './metrics.ts';

/** Of an earlier binding and ours one is replaced at most so often: then somebody else is at it too. */
const BIND_ATTEMPTS = 3;
/** Pending assignments and rates are cleaned at most this often, milliseconds. */
const EXPIRE_MS = 200;
/** A start takes moments. */
const RETRY_S = 1;

export interface Routed {
  readonly decision: Decision;
  readonly sessionId: string;
  /** False when the binding is only in this instance's memory until session-cache can be asked. */
  readonly durable: boolean;
}

export interface RouterPorts {
  /** The binding that holds; undefined when session-cache does not answer. */
  bind(proposal: Binding, replace: Binding | undefined): Promise<Binding | undefined>;
  /** Tells the other instances what was just assigned. */
  announce(nodeId: string, epoch: string, sessionId: string): void;
  /** A new session's id: 16 hex digits. */
  newSessionId(): string;
  /** Tells those who watch what was decided. */
  tell(decided: Omit<Decided, 'at' | 'instance'>): void;
  readonly metrics: RoutingMetrics;
  readonly log: Logger;
}

/** Routes sessions: decides, counts, binds, and says what came of it in one log line. */
export class SessionRouter {
  readonly #mesh: Mesh;
  readonly #ports: RouterPorts;
  #expiredAt = 0;

  constructor(mesh: Mesh, ports: RouterPorts) {
    this.#mesh = mesh;
    this.#ports = ports;
  }

  /** Errors: those of decide; unavailable while nothing is known of the mesh yet. */
  async route(request: RouteRequest): Promise<Routed> {
    const started = performance.now();
    try {
      const decision = this.#decide(request, started);
      const routed = await this.#bind(decision, request);
      aboutCall({ session: routed.sessionId }, () => this.#record(request, routed, started));
      return routed;
    } catch (error) {
      this.#recordRefusal(request, toCallmeshError(error), started);
      throw error;
    }
  }

  #decide(request: RouteRequest, started: number): Decision {
    if (!this.#mesh.known)
      throw fail('unavailable', 'tenants and nodes are not known yet', { retryAfterS: RETRY_S });
    const now = Date.now();
    this.#expire(now);
    const decision = decide(request, this.#mesh, now, Math.random);
    this.#ports.metrics.decided(performance.now() - started);
    return decision;
  }

  /** Counts the choice at once, so that the next decision sees it, and asks which binding holds. */
  async #bind(decision: Decision, request: RouteRequest): Promise<Routed> {
    const proposal = proposalOf(decision, request, this.#ports.newSessionId());
    if (!isResent(decision, request)) this.#assign(proposal);
    let replace = this.#replaced(decision, request);
    for (let attempt = 0; attempt < BIND_ATTEMPTS; attempt += 1) {
      const holder = await this.#ports.bind(proposal, replace);
      if (!holder) {
        this.#mesh.bindings.put(proposal, request.callId);
        return { decision, sessionId: proposal.sessionId, durable: false };
      }
      const settled = settle(decision, proposal, holder, this.#mesh.nodes);
      if (settled) {
        if (settled.bound) this.#adopt(holder, proposal, request);
        const sessionId = settled.bound ? holder.sessionId : proposal.sessionId;
        return { decision: settled.decision, sessionId, durable: settled.bound };
      }
      replace = holder;
    }
    return { decision, sessionId: proposal.sessionId, durable: false };
  }

  /** A binding known here whose node life is over: session-cache is told at the first attempt. */
  #replaced(
    { held, owner, role, affinityKey }: Decision,
    { callId, hint }: RouteRequest,
  ): Binding | undefined {
    const { bindings, nodes } = this.#mesh;
    const known =
      bindings.byCallId(owner.tenant.id, role, callId) ??
      bindings.byAffinity(owner.tenant.id, role, affinityKey);
    if (held || !known || hint.triedNodes.includes(known.nodeId)) return undefined;
    return nodes.get(known.nodeId) ? known : undefined;
  }

  #assign({ nodeId, nodeEpoch, sessionId, tenantId, trunkId, groupId }: Binding): void {
    const now = Date.now();
    this.#mesh.ledger.assign(nodeId, nodeEpoch, sessionId, now);
    this.#mesh.usage.start(sessionId, { tenantId, trunkId }, now);
    this.#mesh.turns.set(groupId, nodeId);
    this.#ports.announce(nodeId, nodeEpoch, sessionId);
  }

  /** Takes over the binding that holds; what was counted for a proposal that lost is given back. */
  #adopt(holder: Binding, proposal: Binding, request: RouteRequest): void {
    this.#mesh.bindings.put(holder, request.callId);
    if (holder.sessionId === proposal.sessionId) return;
    this.#mesh.ledger.unassign(proposal.nodeId, proposal.nodeEpoch, proposal.sessionId);
    this.#mesh.usage.end(proposal.sessionId);
  }

  #expire(now: number): void {
    if (now - this.#expiredAt < EXPIRE_MS) return;
    this.#expiredAt = now;
    this.#mesh.ledger.expire(now);
    this.#mesh.usage.expire(now);
  }

  #record(request: RouteRequest, { decision, sessionId, durable }: Routed, started: number): void {
    const ms = performance.now() - started;
    const [node] = decision.targets;
    const strategy = decision.held ? 'bound' : decision.strategy;
    this.#ports.metrics.routed(strategy, 'ok', ms);
    this.#ports.tell(
      Decided.fromPartial({
        edgeId: request.edge,
        callId: request.callId,
        sessionId,
        tenantId: decision.owner.tenant.id,
        trunkId: decision.owner.trunk?.id ?? '',
        function: decision.function,
        groupId: decision.groupId,
        nodeId: node!.id,
        strategy,
        reason: decision.reason,
        tookMs: ms,
      }),
    );
    this.#ports.log.info(
      {
        call_id: request.callId,
        edge: request.edge,
        session: sessionId,
        tenant: decision.owner.tenant.id,
        trunk: decision.owner.trunk?.id,
        function: decision.function,
        group: decision.groupId,
        node: node!.id,
        reason: decision.reason,
        durable,
        ms: Math.round(ms * 1000) / 1000,
      },
      'routed',
    );
  }

  #recordRefusal(request: RouteRequest, error: CallmeshError, started: number): void {
    const ms = performance.now() - started;
    this.#ports.metrics.routed('none', error.code, ms);
    this.#ports.tell(
      Decided.fromPartial({
        edgeId: request.edge,
        callId: request.callId,
        reason: error.message,
        refusedCode: error.code,
        tookMs: ms,
      }),
    );
    const fields = {
      call_id: request.callId,
      edge: request.edge,
      source: request.sourceAddress,
      code: error.code,
    };
    if (error.code === 'internal') this.#ports.log.error({ ...fields, err: error.cause ?? error }, 'refused');
    else this.#ports.log.info({ ...fields, reason: error.message }, 'refused');
  }
}
