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
 * Where an in-dialog request goes whose node ("ip:port") is not up. A dialog the node
 * itself began is bound nowhere: the node is tried all the same, since one whose agent
 * alone is gone still has the leg, and a BYE that is kept from it leaves the leg for ever.
 * Errors: session_gone when there is no such session and no such node, unavailable
 * (with seconds to wait) when its node is dead and nobody has taken it over yet.
 */
export function locateDialog(binding: Binding | undefined, address: string, nodes: NodeTable): DialogAnswer {
  if (!binding) {
    const itself = nodes.at(address);
    if (!itself) throw fail('session_gone', 'no such session');
    return { node: itself, moved: false };
  }
  const node = aliveNode(binding, nodes);
  if (!node)
    throw fail('unavailable', `session ${binding.sessionId} waits for another node`, {
      retryAfterS: RETRY_S,
    });
  return { node, moved: node.address !== address };
}
