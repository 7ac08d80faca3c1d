import type { LegRef } from '@callmesh/proto/control';
import { NodeRole } from '@callmesh/proto/node';
import type { Binding, SessionCacheServiceClient } from '@callmesh/proto/session';
import { call, fail, toCallmeshError } from '@callmesh/runtime';
import type { LiveLegs } from '../domain/live-legs.ts';

/** Where a leg lives: the node and the life of it. */
export interface Place {
  readonly nodeId: string;
  readonly nodeEpoch: string;
  /** Whose session it is. */
  readonly tenantId: string;
}

const DEADLINE_MS = 1_000;

/** Finds where sessions and legs live: session-cache knows sessions, also those that moved, events know legs. */
export class Places {
  readonly #sessions: SessionCacheServiceClient;
  readonly #legs: LiveLegs;

  constructor(sessions: SessionCacheServiceClient, legs: LiveLegs) {
    this.#sessions = sessions;
    this.#legs = legs;
  }

  /** Errors: session_gone, unavailable. */
  async session(sessionId: string): Promise<Binding> {
    const key = { $case: 'sessionId', value: sessionId } as const;
    const role = NodeRole.NODE_ROLE_UNSPECIFIED;
    try {
      return await call(this.#sessions, 'get', { tenantId: '', key, role }, { deadlineMs: DEADLINE_MS });
    } catch (error) {
      if (toCallmeshError(error).code === 'not_found') throw fail('session_gone', `no session ${sessionId}`);
      throw error;
    }
  }

  /**
   * The media node a leg is commanded on. Errors: session_gone; precondition_failed
   * when the leg lives where there is no media to command; unavailable.
   */
  async leg({ sessionId, legUuid }: Pick<LegRef, 'sessionId' | 'legUuid'>): Promise<Place> {
    const session = await this.session(sessionId);
    const leg = this.#legs.leg(sessionId, legUuid);
    if (leg && leg.role !== NodeRole.NODE_ROLE_MEDIA)
      throw fail('precondition_failed', `the leg is on ${leg.nodeId}, which only passes signalling on`, {
        field: 'leg.leg_uuid',
      });
    // The binding is what follows a move; a leg's own last event may speak of a life that is over.
    return { nodeId: session.nodeId, nodeEpoch: session.nodeEpoch, tenantId: session.tenantId };
  }
}
