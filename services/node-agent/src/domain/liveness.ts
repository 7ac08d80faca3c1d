import { BackendState } from '@callmesh/proto/node';

/** What is known of the control connection; times in milliseconds since 1970. */
export interface Signs {
  /** Why there is no connection; undefined while there is one that was set up fully. */
  readonly closed: string | undefined;
  /** When the question was sent that waits longest for its answer; undefined when none waits. */
  readonly askedAt: number | undefined;
  /** When a heartbeat, or the connection itself, was last seen. */
  readonly heartbeatAt: number;
  /** How far heartbeats are apart; undefined until two were seen. */
  readonly heartbeatEveryMs: number | undefined;
  /** Whether the node refuses new sessions (`fsctl pause inbound`). */
  readonly paused: boolean;
}

export interface Verdict {
  readonly backend: BackendState;
  /** Empty while up. */
  readonly reason: string;
}

/** An answer on loopback takes well below a millisecond; this long means stuck. */
const ANSWER_MS = 3_000;
/** FreeSWITCH's default between heartbeats, milliseconds. */
const HEARTBEAT_MS = 20_000;
/** Heartbeats that may be missed. */
const MISSED = 3;

/** How the server is, from the signs of life. */
export function verdict(signs: Signs, now: number): Verdict {
  if (signs.closed !== undefined) return { backend: BackendState.BACKEND_STATE_DOWN, reason: signs.closed };
  const waited = signs.askedAt === undefined ? 0 : now - signs.askedAt;
  if (waited >= ANSWER_MS) return stuck(`no answer for ${Math.round(waited)} ms`);
  const silent = now - signs.heartbeatAt;
  const most = (signs.heartbeatEveryMs ?? HEARTBEAT_MS) * MISSED + ANSWER_MS;
  if (silent >= most) return stuck(`no heartbeat for ${Math.round(silent / 1000)} s`);
  if (signs.paused) return { backend: BackendState.BACKEND_STATE_PAUSED, reason: 'paused inbound' };
  return { backend: BackendState.BACKEND_STATE_UP, reason: '' };
}

/** The same of a server whose agent is asked to stop: nothing new is given to it while it is well. */
export function retiring(verdict: Verdict): Verdict {
  if (verdict.backend !== BackendState.BACKEND_STATE_UP) return verdict;
  return { backend: BackendState.BACKEND_STATE_PAUSED, reason: 'its agent is asked to stop' };
}

function stuck(reason: string): Verdict {
  return { backend: BackendState.BACKEND_STATE_STUCK, reason };
}
