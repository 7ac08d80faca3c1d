import { fail } from '@callmesh/runtime';
import { aliveNode } from './binding.ts';
import type { Binding } from './model.ts';
import type { NodeRow, NodeTable } from './node-table.ts';

/** A session on a dead node is claimed within moments or not at all. */
const RETRY_S = 1;

export interface DialogAnswer {
  readonly node: NodeRow;
  /** False when the session still is where the request was going. */
  readonly moved: boolean;
}

/**
 * Where an in-dialog request goes whose node ("ip:port") is not up.
 * Errors: session_gone when there is no such session, unavailable (with seconds to
 * wait) when its node is dead and nobody has taken it over yet.
 */
export function locateDialog(binding: Binding | undefined, address: string, nodes: NodeTable): DialogAnswer {
  if (!binding) throw fail('session_gone', 'no such session');
  const node = aliveNode(binding, nodes);
  if (!node)
    throw fail('unavailable', `session ${binding.sessionId} waits for another node`, {
      retryAfterS: RETRY_S,
    });
  return { node, moved: node.address !== address };
}
