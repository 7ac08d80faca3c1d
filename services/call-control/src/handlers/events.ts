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
  readonly signOfLifeMs?: number;
}

/** Streams call events from a position on, until the caller goes or the stream is lost. */
export function watchEvents({ nats, access, places, signOfLifeMs = SIGN_OF_LIFE_MS }: EventPorts) {
  return async (
    request: WatchEventsRequest,
    context: CallContext,
    write: Write<WatchEventsResponse>,
  ): Promise<void> => {
    await checkWatcher(request, context, access, places);
    const { tenantId } = request;
    const reading = await readCalls(nats, { tenantId, after: positionOf(request) }, context.signal);
    let told = 0;
    // A watcher that does not read is owed no signs of life on top.
    let busy = false;
    const tell = async (position: number, event?: CallEvent) => {
      // A sign of life that was on its way must not lead back behind what was told meanwhile.
      told = Math.max(told, position);
      busy = true;
      await write({ event, position: told });
      busy = false;
    };
    const alive = setInterval(() => {
      if (busy) return;
      const sign = reading.position().then((position) => (busy ? undefined : tell(position)));
      sign.catch(() => {});
    }, signOfLifeMs);
    try {
      for await (const { event, position } of reading) {
        if (!isWanted(event, request)) continue;
        alive.refresh();
        await tell(position, event);
      }
    } finally {
      clearInterval(alive);
    }
    throw fail('unavailable', 'this replica stops: watch again from the last position');
  };
}

async function checkWatcher(
  { tenantId, sessionId }: WatchEventsRequest,
  context: CallContext,
  access: Access,
  places: Places,
): Promise<void> {
  access.check(context, tenantId, 'events');
  if (sessionId === '') return;
  checkSessionId('session_id', sessionId);
  const owner = await ownerOf(places, sessionId);
  if (owner !== undefined && tenantId !== '*')
    access.checkOwner(context, tenantId, owner, `session ${sessionId}`, 'events');
}

/** Whose a session is; undefined when it has ended, or nobody can say now: the stream is the tenant's alone anyway. */
async function ownerOf(places: Places, sessionId: string): Promise<string | undefined> {
  try {
    return (await places.session(sessionId, Number.POSITIVE_INFINITY)).tenantId;
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
