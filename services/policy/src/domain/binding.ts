import type { BindingMemory } from './bindings.ts';
import type { Binding, Role } from './model.ts';
import type { NodeRow, NodeTable } from './node-table.ts';

/** A binding whose node life still carries sessions. */
export interface Held {
  readonly binding: Binding;
  readonly node: NodeRow;
  /** What it was found by. */
  readonly by: 'Call-ID' | 'affinity key';
}

/**
 * The node a binding speaks of, if that life of it still carries sessions: up,
 * suspect and draining ones do; drained and down ones, and another epoch, do not.
 */
export function aliveNode(binding: Binding, nodes: NodeTable): NodeRow | undefined {
  const node = nodes.get(binding.nodeId);
  if (!node) return undefined;
  // A table that is not kept current may be the one that has not heard of the restart.
  if (node.epoch !== binding.nodeEpoch && nodes.current) return undefined;
  return node.status === 'down' || node.status === 'drained' ? undefined : node;
}

/** The live binding of a Call-ID, unless its node was tried already. */
export function heldByCallId(
  tenantId: string,
  role: Role,
  callId: string,
  tried: readonly string[],
  bindings: BindingMemory,
  nodes: NodeTable,
): Held | undefined {
  return held(bindings.byCallId(tenantId, role, callId), 'Call-ID', tried, nodes);
}

/** The live binding of an affinity key, unless its node was tried already. */
export function heldByAffinity(
  tenantId: string,
  role: Role,
  affinityKey: string,
  tried: readonly string[],
  bindings: BindingMemory,
  nodes: NodeTable,
): Held | undefined {
  return held(bindings.byAffinity(tenantId, role, affinityKey), 'affinity key', tried, nodes);
}

function held(
  binding: Binding | undefined,
  by: Held['by'],
  tried: readonly string[],
  nodes: NodeTable,
): Held | undefined {
  const node = binding && !tried.includes(binding.nodeId) ? aliveNode(binding, nodes) : undefined;
  return binding && node ? { binding, node, by } : undefined;
}
