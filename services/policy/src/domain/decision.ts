import { aliveNode, type Held } from './binding.ts';
import { ALTERNATES } from './choose.ts';
import type { Binding, FunctionName, Role } from './model.ts';
import type { NodeRow, NodeTable } from './node-table.ts';
import type { RouteRequest } from './request.ts';
import type { Owner } from './tenant.ts';

/** Where a session goes and why. */
export interface Decision {
  readonly owner: Owner;
  readonly role: Role;
  readonly function: FunctionName;
  readonly groupId: string;
  readonly affinityKey: string;
  /** User part to send on: the called number after the trunk's rules. */
  readonly calledUser: string;
  /** Calling number as the trunk's rules make it; empty where none of them does. */
  readonly callingNumber: string;
  /** First choice, then alternates; never empty. */
  readonly targets: readonly NodeRow[];
  readonly strategy: string;
  /** Why the first one, for a person. */
  readonly reason: string;
  /** The live binding that decided; undefined for a new session. */
  readonly held: Binding | undefined;
}

/** True when the live binding that decided is this call's own, and not one it shares a node with. */
export function isResent({ held }: Decision, { callId }: Pick<RouteRequest, 'callId'>): boolean {
  return held?.callId === callId;
}

/** The binding a decision proposes; `sessionId` is for a new session, a call that lives keeps its own. */
export function proposalOf(decision: Decision, request: RouteRequest, sessionId: string): Binding {
  const [node] = decision.targets;
  return {
    sessionId: isResent(decision, request) ? decision.held!.sessionId : sessionId,
    tenantId: decision.owner.tenant.id,
    callId: request.callId,
    affinityKey: decision.affinityKey,
    nodeId: node!.id,
    nodeEpoch: node!.epoch,
    role: decision.role,
    function: decision.function,
    groupId: decision.groupId,
    trunkId: decision.owner.trunk?.id ?? '',
    edgeId: request.edge,
  };
}

export interface Settled {
  readonly decision: Decision;
  /** False when session-cache holds a binding to a node this instance does not know: it is left alone. */
  readonly bound: boolean;
}

/**
 * Step 7, what session-cache says holds: the proposal, or a binding another
 * instance or another leg was first with, which then decides. Undefined when
 * that one's node life is over, so that it has to be replaced.
 */
export function settle(
  decision: Decision,
  proposal: Binding,
  holder: Binding,
  nodes: NodeTable,
): Settled | undefined {
  const same = holder.nodeId === proposal.nodeId && holder.nodeEpoch === proposal.nodeEpoch;
  if (holder.sessionId === proposal.sessionId && same) return { decision, bound: true };
  if (!nodes.get(holder.nodeId)) return { decision, bound: false };
  const node = aliveNode(holder, nodes);
  if (!node) return undefined;
  const by = holder.callId === proposal.callId ? 'Call-ID' : 'affinity key';
  return { decision: heldDecision(decision, { binding: holder, node, by }), bound: true };
}

/** A decision in which a live binding names the first choice. */
export function heldDecision(decision: Decision, { binding, node, by }: Held): Decision {
  const others = decision.targets.filter((target) => target !== node);
  return {
    ...decision,
    function: binding.function,
    groupId: binding.groupId,
    // Alone on another node a participant would sit in an empty room: better to be refused and try again.
    targets: by === 'affinity key' ? [node] : [node, ...others].slice(0, 1 + ALTERNATES),
    reason: `bound: ${by} lives on ${node.id}`,
    held: binding,
  };
}

/** A decision in which an agent's other call names the first choice. */
export function besideDecision(decision: Decision, node: NodeRow): Decision {
  const others = decision.targets.filter((target) => target !== node);
  return {
    ...decision,
    targets: [node, ...others].slice(0, 1 + ALTERNATES),
    reason: `beside: the agent's other call lives on ${node.id}`,
  };
}
