import type { NodeRole } from '@callmesh/proto/node';
import type { FunctionMessage } from '@callmesh/proto/tenant';
import { Interner } from './interner.ts';
import { type Affinity, type Held, isAffinity, type Leg, type Session, sameLife } from './session.ts';

/** How values travel to and from the store. */
export interface Codec<V> {
  encode(value: V): Uint8Array;
  /** Undefined when the bytes are not a value of ours; such an entry is left alone. */
  decode(bytes: Uint8Array): V | undefined;
}

const NO_LEGS: readonly Leg[] = [];
const NO_UUIDS: readonly string[] = [];
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A leg on the bound life is only its UUID; another names its node and epoch. */
type StoredLeg = string | [uuid: string, nodeId: string, nodeEpoch: string];

/**
 * The session bucket's codec: JSON, so that `nats kv get` shows a person what is
 * there. Names that repeat over many sessions are kept once in memory.
 */
export function heldCodec(): Codec<Held> {
  const names = new Interner();
  return {
    encode: (held) => encoder.encode(JSON.stringify(isAffinity(held) ? held : storedSession(held))),
    decode(bytes) {
      const stored = parse(bytes);
      if (stored === undefined) return undefined;
      return Array.isArray(stored.holders) ? affinityOf(stored, names) : sessionOf(stored, names);
    },
  };
}

/** A value as JSON, for what needs no compacting. */
export function jsonCodec<V>(check: (value: Record<string, unknown>) => V | undefined): Codec<V> {
  return {
    encode: (value) => encoder.encode(JSON.stringify(value)),
    decode(bytes) {
      const stored = parse(bytes);
      return stored && check(stored);
    },
  };
}

function parse(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(decoder.decode(bytes));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function storedSession(session: Session): object {
  const { legs, ended, ...rest } = session;
  const stored: StoredLeg[] = legs.map((leg) =>
    sameLife(leg, session) ? leg.uuid : [leg.uuid, leg.nodeId, leg.nodeEpoch],
  );
  return { ...rest, ...(legs.length && { legs: stored }), ...(ended.length && { ended }) };
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

function sessionOf(stored: Record<string, unknown>, names: Interner): Session | undefined {
  const sessionId = text(stored.sessionId);
  if (!sessionId) return undefined;
  const nodeId = names.get(text(stored.nodeId));
  const nodeEpoch = names.get(text(stored.nodeEpoch));
  const legs = (Array.isArray(stored.legs) ? stored.legs : []) as StoredLeg[];
  const ended = (Array.isArray(stored.ended) ? stored.ended : []) as string[];
  return {
    sessionId,
    tenantId: names.get(text(stored.tenantId)),
    callId: text(stored.callId),
    affinityKey: text(stored.affinityKey),
    nodeId,
    nodeEpoch,
    role: names.get(text(stored.role)) as NodeRole,
    function: names.get(text(stored.function)) as FunctionMessage,
    groupId: names.get(text(stored.groupId)),
    edgeId: names.get(text(stored.edgeId)),
    trunkId: names.get(text(stored.trunkId)),
    confirmed: stored.confirmed === true,
    createdAt: Number(stored.createdAt) || 0,
    legs: legs.length ? legs.map((leg) => legOf(leg, nodeId, nodeEpoch, names)) : NO_LEGS,
    ended: ended.length ? ended : NO_UUIDS,
  };
}

function legOf(leg: StoredLeg, nodeId: string, nodeEpoch: string, names: Interner): Leg {
  if (typeof leg === 'string') return { uuid: leg, nodeId, nodeEpoch };
  return { uuid: leg[0], nodeId: names.get(leg[1]), nodeEpoch: names.get(leg[2]) };
}

function affinityOf(stored: Record<string, unknown>, names: Interner): Affinity {
  return {
    tenantId: names.get(text(stored.tenantId)),
    role: names.get(text(stored.role)) as NodeRole,
    affinityKey: text(stored.affinityKey),
    nodeId: names.get(text(stored.nodeId)),
    nodeEpoch: names.get(text(stored.nodeEpoch)),
    groupId: names.get(text(stored.groupId)),
    holders: (stored.holders as unknown[]).map(text),
  };
}
