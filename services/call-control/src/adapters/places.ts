import type { LegRef } from '@callmesh/proto/control';
import { NodeRole } from '@callmesh/proto/node';
import type { Binding, SessionCacheServiceClient } from '@callmesh/proto/session';
import { call, fail, toCallmeshError } from '@callmesh/runtime';
import { isMedia, type KnownLeg, type LiveLegs } from '../domain/live-legs.ts';
import { within } from '../domain/time.ts';

/** Where a session's legs are commanded: the media node, and the life of it. */
export interface Place {
  readonly nodeId: string;
  readonly nodeEpoch: string;
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

  /** Errors: session_gone, unavailable, deadline. */
  async session(sessionId: string, end: number): Promise<Binding> {
    const key = { $case: 'sessionId', value: sessionId } as const;
    const role = NodeRole.NODE_ROLE_UNSPECIFIED;
    const deadlineMs = within(end, DEADLINE_MS, Date.now());
    try {
      return await call(this.#sessions, 'get', { tenantId: '', key, role }, { deadlineMs });
    } catch (error) {
      if (toCallmeshError(error).code === 'not_found') throw fail('session_gone', `no session ${sessionId}`);
      throw error;
    }
  }

  /** A leg as events told of it, of whatever session; undefined for one nobody has told of yet. */
  leg(legUuid: string): KnownLeg | undefined {
    return this.#legs.leg(legUuid);
  }

  /** Error: precondition_failed when the leg lives where nobody can be commanded. */
  requireMedia({ sessionId, legUuid }: Pick<LegRef, 'sessionId' | 'legUuid'>, { nodeId }: Place): void {
    const leg = this.#legs.leg(legUuid);
    if (leg?.sessionId !== sessionId || isMedia(leg)) return;
    const why = `the leg is on ${leg.nodeId}, which only passes signalling on: command the session's legs on ${nodeId}`;
    throw fail('precondition_failed', why, { field: 'leg.leg_uuid' });
  }

  /** Live legs of a session, oldest first. Error: unavailable while this replica has not read all yet. */
  legsOf(sessionId: string, place: Place): KnownLeg[] {
    if (!this.#legs.complete)
      throw fail('unavailable', 'which legs live is still being read', { retryAfterS: 1 });
    return this.#legs.of(sessionId, place);
  }
}
