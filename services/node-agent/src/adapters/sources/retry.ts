import { setTimeout as pause } from 'node:timers/promises';
import { backoffMs } from '../../domain/backoff.ts';

/** Runs `attempt` again and again until aborted; it resolves or rejects when its source went away. */
export async function again(
  signal: AbortSignal,
  attempt: () => Promise<void>,
  onFailure: (error: Error) => void,
): Promise<void> {
  for (let failures = 1; !signal.aborted; failures += 1) {
    const began = Date.now();
    try {
      await attempt();
      if (!signal.aborted) onFailure(new Error('the stream ended'));
    } catch (error) {
      onFailure(error as Error);
    }
    // A stream that lived a while was no failed attempt.
    if (Date.now() - began > 5_000) failures = 1;
    await pause(backoffMs(failures, Math.random()), undefined, { signal }).catch(() => {});
  }
}
