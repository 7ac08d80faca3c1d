import { fail } from '@callmesh/runtime';

/** Deadline of a command whose caller and kind name none, milliseconds. */
const COMMAND_MS = 5_000;
/**
 * Left of the caller's deadline, milliseconds: a node may say a quarter of a second
 * late that it did not answer, and what came of it is written down before it is told.
 */
const WAY_BACK_MS = 500;

/** Until when a command may be carried out, of a caller who waits until `deadline`. Error: deadline. */
export function until(deadline: number, now: number, ms = COMMAND_MS): number {
  const end = Math.min(deadline - WAY_BACK_MS, now + ms);
  if (end > now) return end;
  throw fail('deadline', `no time is left of the deadline: commands need more than ${WAY_BACK_MS} ms`);
}

/** Milliseconds a question may take that is asked on the way. Error: deadline. */
export function within(end: number, ms: number, now: number): number {
  if (end > now) return Math.min(ms, end - now);
  throw fail('deadline', 'the time for the command is over: nothing was done');
}
