import type { CallEvent } from '@callmesh/proto/call';
import type { LiveLeg } from '@callmesh/proto/control';

/** A leg of a session that was told created and not yet hung up. */
export interface KnownLeg extends LiveLeg {
  readonly tenantId: string;
  readonly sessionId: string;
  readonly nodeEpoch: string;
}

/** Ended legs that are remembered, so that a creation told late, or again, raises nobody from the dead. */
const MOST_ENDED = 50_000;

/** Which legs live, as call events tell, in whatever order and however often. */
export class LiveLegs {
  readonly #sessions = new Map<string, Map<string, KnownLeg>>();
  readonly #ended = new Set<string>();

  apply(event: CallEvent): void {
    const { sessionId, legUuid } = event;
    if (!sessionId || !legUuid) return;
    if (event.event === 'hangup') this.#end(sessionId, legUuid);
    if (this.#ended.has(legUuid)) return;
    const legs = this.#sessions.get(sessionId) ?? new Map<string, KnownLeg>();
    // Agent and callee may only be known after the creation.
    legs.set(legUuid, { ...legOf(event), ...agentOf(legs.get(legUuid), event) });
    this.#sessions.set(sessionId, legs);
  }

  /** Live legs of a session, oldest first. */
  of(sessionId: string): readonly KnownLeg[] {
    return [...(this.#sessions.get(sessionId)?.values() ?? [])];
  }

  leg(sessionId: string, legUuid: string): KnownLeg | undefined {
    return this.#sessions.get(sessionId)?.get(legUuid);
  }

  /** A node's life is over, and with it every leg of it. */
  forgetNode(nodeId: string, epoch: string): void {
    for (const [sessionId, legs] of this.#sessions) {
      for (const leg of legs.values())
        if (leg.nodeId === nodeId && leg.nodeEpoch === epoch) this.#end(sessionId, leg.legUuid);
    }
  }

  get size(): number {
    let count = 0;
    for (const legs of this.#sessions.values()) count += legs.size;
    return count;
  }

  #end(sessionId: string, legUuid: string): void {
    this.#ended.add(legUuid);
    if (this.#ended.size > MOST_ENDED) this.#ended.delete(this.#ended.values().next().value!);
    const legs = this.#sessions.get(sessionId);
    legs?.delete(legUuid);
    if (legs?.size === 0) this.#sessions.delete(sessionId);
  }
}

function legOf(event: CallEvent): KnownLeg {
  const { tenantId, sessionId, legUuid, nodeId, nodeEpoch, role, outbound, caller, callee, agentId } = event;
  return { tenantId, sessionId, legUuid, nodeId, nodeEpoch, role, outbound, caller, callee, agentId };
}

function agentOf(known: KnownLeg | undefined, { agentId }: CallEvent): { agentId: string } {
  return { agentId: agentId || (known?.agentId ?? '') };
}
