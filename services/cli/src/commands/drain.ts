import { type NodeState, NodeStatus, StateServiceClient } from '@callmesh/proto/state';
import { fail, serverStream } from '@callmesh/runtime';
import type { Context } from '../context.ts';
import { progressOf } from '../progress.ts';

/** Shows how a node empties, on a terminal as a bar; true when it is drained, false when interrupted. */
export async function waitUntilDrained({ connection, signal }: Context, name: string): Promise<boolean> {
  const state = await connection.client(StateServiceClient, 'state');
  const progress = progressOf(name);
  const watch = serverStream(state, 'watchNodes', { role: 'NODE_ROLE_UNSPECIFIED', group: '' }, { signal });
  try {
    for await (const { event } of watch) {
      if (event?.$case === 'removedNodeId' && event.value === name)
        throw fail('not_found', `node ${name} left the mesh`);
      const row = event?.$case === 'put' && event.value.node?.id === name ? event.value : undefined;
      if (!row) continue;
      progress.update(row.load?.sessions ?? 0);
      if (isEmpty(row)) return true;
    }
    if (signal.aborted) return false;
    throw fail('unavailable', 'state ended the watch');
  } finally {
    progress.end();
  }
}

/** Drained, or down: either way it carries nothing any more. */
function isEmpty({ status }: NodeState): boolean {
  return status === NodeStatus.NODE_STATUS_DRAINED || status === NodeStatus.NODE_STATUS_DOWN;
}
