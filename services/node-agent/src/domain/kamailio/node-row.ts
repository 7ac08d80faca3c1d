import type { Node } from '@callmesh/proto/node';
import { NodeRole } from '@callmesh/proto/node';
import { addressOfSource, addressOfUri } from './sip-address.ts';

/** What the mesh may do with a node, in the words Kamailio's table has for it. */
export type NodeStatusWord = 'up' | 'suspect' | 'draining' | 'drained' | 'down';

/** A FreeSWITCH node as an edge needs to know it. */
export interface NodeRow {
  readonly node: Node;
  readonly status: NodeStatusWord;
}

/** Only FreeSWITCH takes sessions; edges are in the mesh's table too. */
export function isSessionNode(node: Node): boolean {
  const { role } = node;
  return (
    role === NodeRole.NODE_ROLE_ROUTER ||
    role === NodeRole.NODE_ROLE_MEDIA ||
    role === NodeRole.NODE_ROLE_TANDEM
  );
}

/** Every "ip:port" a node sends from or listens on. */
export function addressesOf(node: Node): string[] {
  const all = [addressOfUri(node.sipUri), ...node.sipSources.map(addressOfSource)];
  return [...new Set(all.filter((address) => address !== undefined))];
}
