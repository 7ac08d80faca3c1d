import type { CallEvent } from '@callmesh/proto/call';
import type { LiveLeg } from '@callmesh/proto/control';
import { NodeRole } from '@callmesh/proto/node';

/** A leg of a session that was told created and not yet hung up. */
export interface KnownLeg extends LiveLeg {
  readonly tenantId: string;
  readonly sessionId: string;
  readonly nodeEpoch: string;
  readonly callId: string;
  /** The leg it is connected to; empty when to none. */
  readonly partner: string;
  /** Agent of the leg it was last connected to; empty when none. */
  readonly lastAgent: string;
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
    this.#legs.set(legUuid, { ...legOf(event), ...this.#learnt(event, this.#legs.get(legUuid)) });
    const uuids = this.#sessions.get(sessionId) ?? new Set();
    this.#sessions.set(sessionId, uuids.add(legUuid));
    if (this.#legs.size > this.#most) this.#remove(this.#legs.keys().next().value!);
  }

  /** What is told of a leg later than its creation, and not by every event. */
  #learnt(event: CallEvent, before: KnownLeg | undefined) {
    const other = event.event === 'bridged' ? event.otherLegUuid : undefined;
    return {
      agentId: event.agentId || (before?.agentId ?? ''),
      callId: event.callId || (before?.callId ?? ''),
      partner: other ?? (event.event === 'unbridged' ? '' : (before?.partner ?? '')),
      lastAgent: (other === undefined ? before?.lastAgent : this.#legs.get(other)?.agentId) ?? '',
    };
  }

  /** A tenant's legs of one SIP dialog: the two ends of it between nodes, else one. */
  ofCall(tenantId: string, callId: string): KnownLeg[] {
    return [...this.#legs.values()].filter((leg) => leg.callId === callId && leg.tenantId === tenantId);
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

function legOf(event: CallEvent) {
  const { tenantId, sessionId, legUuid, nodeId, nodeEpoch, role, outbound, caller, callee } = event;
  return { tenantId, sessionId, legUuid, nodeId, nodeEpoch, role, outbound, caller, callee };
}
