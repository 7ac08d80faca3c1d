/** Shortest pause, milliseconds: a process that restarts is back within a second or two. */
const FIRST_MS = 50;
/** Longest pause, milliseconds: the server is on the same host, asking costs nothing. */
const LONGEST_MS = 1_000;

/**
 * Pause before the next attempt, milliseconds: doubles with each failure up to a
 * second, of which a random half is taken so that two agents do not go in step.
 * `random` is in [0, 1).
 */
export function backoffMs(failures: number, random: number): number {
  const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 10));
  return full / 2 + (full / 2) * random;
}
