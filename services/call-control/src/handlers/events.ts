import type { CallEvent } from '@callmesh/proto/call';
import type { WatchEventsRequest, WatchEventsResponse } from '@callmesh/proto/control';
import { type CallContext, fail, type Nats, readCalls, type Write } from '@callmesh/runtime';
import type { Places } from '../adapters/places.ts';
import { checkSessionId } from '../domain/check.ts';
import type { Access } from './access.ts';

/** A watcher that hears nothing for so long is told how far it is, milliseconds. */
const SIGN_OF_LIFE_MS = 10_000;

export interface EventPorts {
  readonly nats: Nats;
  readonly access: Access;
  readonly places: Places;
}

/** Streams call events from a position on, until the caller goes or the stream is lost. */
export function watchEvents({ nats, access, places }: EventPorts) {
  return async (
    request: WatchEventsRequest,
    context: CallContext,
    write: Write<WatchEventsResponse>,
  ): Promise<void> => {
    const { tenantId, sessionId } = request;
    access.check(context, tenantId, 'events');
    if (sessionId !== '') {
      checkSessionId('session_id', sessionId);
      const owner = await ownerOf(places, sessionId);
      if (owner !== undefined) access.checkOwner(context, tenantId, owner, `session ${sessionId}`, 'events');
    }
    const reading = await readCalls(nats, { tenantId, after: positionOf(request) }, context.signal);
    const alive = setInterval(() => {
      reading.position().then(
        (position) => write({ event: undefined, position }),
        () => {},
      );
    }, SIGN_OF_LIFE_MS);
    try {
      for await (const { event, position } of reading) {
        if (!isWanted(event, request)) continue;
        alive.refresh();
        await write({ event, position });
      }
    } finally {
      clearInterval(alive);
    }
    throw fail('unavailable', 'this replica stops: watch again from the last position');
  };
}

/** Whose a session is; undefined when it has ended, or nobody can say now: the stream is the tenant's alone anyway. */
async function ownerOf(places: Places, sessionId: string): Promise<string | undefined> {
  try {
    return (await places.session(sessionId)).tenantId;
  } catch {
    return undefined;
  }
}

function positionOf({ afterPosition, fromStart }: WatchEventsRequest): number | 'now' | 'start' {
  if (afterPosition > 0) return afterPosition;
  return fromStart ? 'start' : 'now';
}

function isWanted(event: CallEvent, { sessionId, agentId }: WatchEventsRequest): boolean {
  return (sessionId === '' || event.sessionId === sessionId) && (agentId === '' || event.agentId === agentId);
}
