import type { Node, NodeRole } from '@callmesh/proto/node';

/** What is known of a server without asking it: the `node` part of the configuration. */
export interface Identity {
  readonly id: string;
  readonly role: NodeRole;
  readonly group: string;
  readonly sipUri: string;
  readonly sipSources: readonly string[];
  readonly zone: string;
  readonly weight: number;
  /** 0 takes what the server says. */
  readonly maxSessions: number;
}

/** What only the server itself knows. */
export interface Life {
  /** Core-UUID of FreeSWITCH, start identity of Kamailio; another one is another life. */
  readonly epoch: string;
  readonly version: string;
  /** 0 when it has no limit. */
  readonly maxSessions: number;
}

/** The record the node is registered with. */
export function nodeOf(identity: Identity, life: Life): Node {
  return {
    ...identity,
    sipSources: [...identity.sipSources],
    maxSessions: smallerLimit(identity.maxSessions, life.maxSessions),
    epoch: life.epoch,
    version: life.version,
  };
}

/** The tighter of two limits of which 0 is none. */
function smallerLimit(a: number, b: number): number {
  if (a === 0 || b === 0) return Math.max(a, b);
  return Math.min(a, b);
}
