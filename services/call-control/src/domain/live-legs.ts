import type { CallEvent } from '@callmesh/proto/call';
import type { LiveLeg } from '@callmesh/proto/control';
import { NodeRole } from '@callmesh/proto/node';

/** A leg of a session that was told created and not yet hung up. */
export interface KnownLeg extends LiveLeg {
  readonly tenantId: string;
  readonly sessionId: string;
  readonly nodeEpoch: string;
}

/** One life of a node. */
export interface NodeLife {
  readonly nodeId: string;
  readonly nodeEpoch: string;
}

/** Legs that are kept; beyond it the oldest goes. Legs of a host that never came back are among them. */
const MOST_LEGS = 200_000;
/** Ended legs that are remembered, so that a creation told late, or again, raises nobody from the dead. */
const MOST_ENDED = 50_000;

/** Which legs live, as call events tell, however often. */
export class LiveLegs {
  /** By UUID, oldest first. */
  readonly #legs = new Map<string, KnownLeg>();
  readonly #sessions = new Map<string, Set<string>>();
  readonly #ended = new Set<string>();
  /** The newest life of each node, and since when. */
  readonly #lives = new Map<string, { readonly epoch: string; readonly at: number }>();
  readonly #most: number;
  /** False until everything is read that was told before this replica began. */
  complete = false;

  constructor(most = MOST_LEGS) {
    this.#most = most;
  }

  apply(event: CallEvent): void {
    const { sessionId, legUuid } = event;
    if (!sessionId || !legUuid) return;
    if (event.event === 'hangup') this.#end(legUuid);
    else if (!this.#ended.has(legUuid) && this.#isOfNewestLife(event)) this.#keep(event);
  }

  #keep(event: CallEvent): void {
    const { sessionId, legUuid } = event;
    // Agent and callee may only be known after the creation.
    const agentId = event.agentId || (this.#legs.get(legUuid)?.agentId ?? '');
    this.#legs.set(legUuid, { ...legOf(event), agentId });
    const uuids = this.#sessions.get(sessionId) ?? new Set();
    this.#sessions.set(sessionId, uuids.add(legUuid));
    if (this.#legs.size > this.#most) this.#remove(this.#legs.keys().next().value!);
  }

  leg(legUuid: string): KnownLeg | undefined {
    return this.#legs.get(legUuid);
  }

  /** Live legs of a session whose media lives there, oldest first: what is told of another media node is over. */
  of(sessionId: string, { nodeId, nodeEpoch }: NodeLife): KnownLeg[] {
    return [...(this.#sessions.get(sessionId) ?? [])]
      .map((uuid) => this.#legs.get(uuid)!)
      .filter((leg) => !isMedia(leg) || (leg.nodeId === nodeId && leg.nodeEpoch === nodeEpoch));
  }

  get size(): number {
    return this.#legs.size;
  }

  /** A leg that is created in a later life of a node ends all of the earlier. */
  #isOfNewestLife({ event, nodeId, nodeEpoch, at }: CallEvent): boolean {
    const newest = this.#lives.get(nodeId);
    if (newest?.epoch === nodeEpoch) return true;
    const since = at?.getTime() ?? 0;
    if (newest && (event !== 'created' || since < newest.at)) return false;
    this.#lives.set(nodeId, { epoch: nodeEpoch, at: since });
    for (const leg of this.#legs.values())
      if (leg.nodeId === nodeId && leg.nodeEpoch !== nodeEpoch) this.#end(leg.legUuid);
    return true;
  }

  #end(legUuid: string): void {
    this.#ended.add(legUuid);
    if (this.#ended.size > MOST_ENDED) this.#ended.delete(this.#ended.values().next().value!);
    this.#remove(legUuid);
  }

  #remove(legUuid: string): void {
    const leg = this.#legs.get(legUuid);
    if (!leg) return;
    this.#legs.delete(legUuid);
    const uuids = this.#sessions.get(leg.sessionId)!;
    uuids.delete(legUuid);
    if (uuids.size === 0) this.#sessions.delete(leg.sessionId);
  }
}

/** Only media nodes carry out commands: the others pass signalling on. */
export function isMedia({ role }: Pick<LiveLeg, 'role'>): boolean {
  return role === NodeRole.NODE_ROLE_MEDIA;
}

/** Who is at the far end: the caller of a leg that called in, whom we called otherwise. */
export function farEnd({
  outbound,
  caller,
  callee,
}: Pick<LiveLeg, 'outbound' | 'caller' | 'callee'>): string {
  return outbound ? callee : caller;
}

function legOf(event: CallEvent): KnownLeg {
  const { tenantId, sessionId, legUuid, nodeId, nodeEpoch, role, outbound, caller, callee, agentId } = event;
  return { tenantId, sessionId, legUuid, nodeId, nodeEpoch, role, outbound, caller, callee, agentId };
}
