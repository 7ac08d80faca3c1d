import type { CallEvent } from '@callmesh/proto/call';
import { type Leg, type Life, type Session, sameLife } from './session.ts';

/** Most ended legs remembered; a repeated event is seconds late, not eight legs. */
export const MAX_ENDED = 8;
/** Most live legs kept; a session with more is broken, and its value must not grow without end. */
const MAX_LEGS = 64;

/**
 * A leg appeared. Returns the same session when that is no news: events may come
 * twice, late, and a leg's end before its beginning. A first leg on another node
 * of the role re-points the session: an edge moved on to its next target.
 */
export function legCreated(session: Session, event: CallEvent): Session {
  if (event.role !== session.role || session.ended.includes(event.legUuid)) return session;
  if (session.legs.some((leg) => leg.uuid === event.legUuid)) return session;
  const leg: Leg = { uuid: event.legUuid, nodeId: event.nodeId, nodeEpoch: event.nodeEpoch };
  const legs = session.legs.length < MAX_LEGS ? [...session.legs, leg] : session.legs;
  const first = !event.outbound && event.callId === session.callId;
  const taken = (first || !session.confirmed) && !sameLife(leg, session);
  const holder: Life = taken ? leg : session;
  return { ...session, nodeId: holder.nodeId, nodeEpoch: holder.nodeEpoch, legs, confirmed: true };
}

/**
 * A leg ended. When it was the last on the node where the session lives and
 * others go on elsewhere, the session is theirs. `isOver` tells whether any is left.
 */
export function legEnded(session: Session, event: CallEvent): Session {
  if (event.role !== session.role || session.ended.includes(event.legUuid)) return session;
  const leg = session.legs.find((one) => one.uuid === event.legUuid);
  // A leg that was moved to another life: its old life's hangup is no end.
  if (leg && !sameLife(leg, event)) return session;
  const legs = session.legs.filter((one) => one !== leg);
  const ended = [...session.ended, event.legUuid].slice(-MAX_ENDED);
  const here = legs.length === 0 || legs.some((one) => sameLife(one, session));
  const holder: Life = here ? session : legs.at(-1)!;
  return { ...session, nodeId: holder.nodeId, nodeEpoch: holder.nodeEpoch, legs, ended };
}

/** Whether a session had legs and has none left. */
export function isOver(session: Session): boolean {
  return session.legs.length === 0 && session.ended.length > 0;
}

/** A session on another node: its legs of the old life live on there under their UUIDs. */
export function movedTo(session: Session, to: Life): Session {
  const legs = session.legs.map((leg) =>
    sameLife(leg, session) ? { uuid: leg.uuid, nodeId: to.nodeId, nodeEpoch: to.nodeEpoch } : leg,
  );
  return { ...session, nodeId: to.nodeId, nodeEpoch: to.nodeEpoch, legs };
}
