import { type Node, NodeRole } from '@callmesh/proto/node';

/** The door a Path leads to: the one it names, else the one at its address; empty when there is none. */
export function edgeOf([hop = '']: readonly string[], nodes: Iterable<Node>): string {
  const [, user = '', address = ''] = /^sips?:(?:([^@]*)@)?([^;>]+)/.exec(hop) ?? [];
  const doors = [...nodes].filter(({ role }) => role === NodeRole.NODE_ROLE_KAMA_WSS);
  const isThere = ({ sipUri, sipSources }: Node) =>
    [sipUri, ...sipSources].some((at) => at.replace(/^sips?:/, '').split(/[;/]/)[0] === address);
  return (doors.find(({ id }) => id === user) ?? doors.find(isThere))?.id ?? '';
}
