import type { NodeRole } from '@callmesh/proto/node';
import { type Binding, BindingState } from '@callmesh/proto/session';
import type { FunctionMessage } from '@callmesh/proto/tenant';

/** One life of a node: a restart gives a new epoch. */
export interface Life {
  readonly nodeId: string;
  readonly nodeEpoch: string;
}

/** A live leg of a session, by FreeSWITCH's channel UUID. */
export interface Leg extends Life {
  readonly uuid: string;
}

/** A binding as it is kept: never changed in place, so that a holder of one sees no half of a change. */
export interface Session extends Life {
  readonly sessionId: string;
  readonly tenantId: string;
  readonly callId: string;
  readonly affinityKey: string;
  readonly role: NodeRole;
  readonly function: FunctionMessage;
  readonly groupId: string;
  readonly edgeId: string;
  readonly trunkId: string;
  readonly confirmed: boolean;
  /** Unix milliseconds. */
  readonly createdAt: number;
  readonly legs: readonly Leg[];
  /** UUIDs of legs that ended, newest last: a late or repeated `created` must not bring one back. */
  readonly ended: readonly string[];
}

/** Where everybody who shares an affinity key goes; lives while a session holds it. */
export interface Affinity extends Life {
  readonly tenantId: string;
  readonly role: NodeRole;
  readonly affinityKey: string;
  readonly groupId: string;
  /** Session ids that hold it. */
  readonly holders: readonly string[];
}

export type Held = Session | Affinity;

export function isAffinity(held: Held): held is Affinity {
  return 'holders' in held;
}

export function sameLife(a: Life, b: Life): boolean {
  return a.nodeId === b.nodeId && a.nodeEpoch === b.nodeEpoch;
}

/** Whether a life is among those the caller knows to be over. */
export function isDead(life: Life, dead: readonly Life[]): boolean {
  return dead.some((other) => sameLife(life, other));
}

/** A life for people: "fs-media-1 (epoch 0a1b)". */
export function nameLife(life: Life): string {
  return `${life.nodeId} (epoch ${life.nodeEpoch})`;
}

export function toBinding(session: Session, revision: number): Binding {
  const { confirmed, createdAt, legs: _legs, ended: _ended, ...same } = session;
  return {
    ...same,
    state: confirmed ? BindingState.BINDING_STATE_CONFIRMED : BindingState.BINDING_STATE_BOUND,
    createdAt: new Date(createdAt),
    revision,
  };
}
