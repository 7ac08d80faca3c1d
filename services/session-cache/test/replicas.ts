import { CallEvent } from '@callmesh/proto/call';
import { NodeRole } from '@callmesh/proto/node';
import { FunctionMessage } from '@callmesh/proto/tenant';
import { CallmeshError } from '@callmesh/runtime';
import { Calls } from '../src/domain/calls.ts';
import { heldCodec } from '../src/domain/codec.ts';
import { Replica } from '../src/domain/replica.ts';
import type { Held, Life, Session } from '../src/domain/session.ts';
import { type Deed, Sessions } from '../src/domain/sessions.ts';
import type { FeedingStore } from '../src/domain/store.ts';
import { Sweep } from '../src/domain/sweep.ts';

export const UNCONFIRMED_MS = 60_000;
const OVER_MS = 5_000;
const ORPHAN_MS = 60_000;

/** One session-cache as it is wired in production, on a given line to the bucket, with a clock of its own. */
export function member<S extends FeedingStore>(store: S, maxSessions = 1_000_000) {
  const replica = new Replica<Held>(store, heldCodec());
  const deeds: Deed[] = [];
  const clock = { now: 1_000_000 };
  const sessions = new Sessions({ replica, tell: (deed) => deeds.push(deed), maxSessions });
  const calls = new Calls(sessions, replica, () => clock.now);
  const times = { unconfirmedMs: UNCONFIRMED_MS, overMs: OVER_MS, orphanMs: ORPHAN_MS };
  const sweep = new Sweep(sessions, replica, times, () => clock.now);
  replica.start();
  return { store, replica, sessions, calls, sweep, deeds, clock };
}
export type Member = ReturnType<typeof member>;

let ids = 0;
export const sessionId = () => (++ids).toString(16).padStart(16, '0');

export const A: Life = { nodeId: 'fs-a', nodeEpoch: 'a1' };
export const B: Life = { nodeId: 'fs-b', nodeEpoch: 'b1' };
export const C: Life = { nodeId: 'fs-c', nodeEpoch: 'c1' };

export function proposal(callId: string, life: Life = A, more: Partial<Session> = {}): Session {
  return {
    sessionId: sessionId(),
    tenantId: 'acme',
    callId,
    affinityKey: '',
    role: NodeRole.NODE_ROLE_MEDIA,
    function: FunctionMessage.FUNCTION_GENERAL,
    groupId: 'media-a',
    edgeId: 'kama-pstn-1',
    trunkId: 'acme-pbx',
    confirmed: false,
    createdAt: 1_000_000,
    legs: [],
    ended: [],
    ...life,
    ...more,
  };
}

export function legEvent(
  event: string,
  session: Session,
  legUuid: string,
  life: Life = session,
  more: Partial<CallEvent> = {},
): CallEvent {
  return CallEvent.fromPartial({
    event,
    tenantId: session.tenantId,
    sessionId: session.sessionId,
    legUuid,
    callId: session.callId,
    nodeId: life.nodeId,
    nodeEpoch: life.nodeEpoch,
    role: session.role,
    at: new Date(1_000_000),
    sequence: 1,
    outbound: false,
    caller: '',
    callee: '',
    hangupCause: '',
    otherLegUuid: '',
    ...more,
  });
}

/** Polls until `check` returns something else than undefined or false. */
export async function until<T>(check: () => T | Promise<T>, ms = 10_000): Promise<NonNullable<T>> {
  const end = performance.now() + ms;
  for (;;) {
    const value = await check();
    if (value) return value as NonNullable<T>;
    if (performance.now() > end) throw new Error(`not so within ${ms} ms: ${check}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Until every member's memory holds what the bucket holds; a store that falls silent meanwhile is waited for. */
export async function settled(...members: Member[]): Promise<void> {
  const behind = (error: unknown) => {
    if (!(error instanceof CallmeshError) || error.code !== 'unavailable') throw error;
    return false;
  };
  for (const { replica } of members)
    await until(() => replica.live && replica.catchUp().then(() => true, behind));
}
