/** How many sessions there were at a moment. */
export interface Sample {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly sessions: number;
}

/**
 * Milliseconds until nothing is left, if sessions go on ending in proportion to how
 * many there are, as calls do: the time constant is fitted between the first sample
 * and the last. Undefined while none has ended yet.
 */
export function untilEmpty(samples: readonly Sample[]): number | undefined {
  const [first, last] = [samples[0], samples.at(-1)];
  if (last?.sessions === 0) return 0;
  if (!first || !last || last.sessions >= first.sessions || last.at <= first.at) return undefined;
  const rate = Math.log(first.sessions / last.sessions) / (last.at - first.at);
  // Of n sessions that end independently at a rate, the last one ends after (ln n + 0.577) / rate.
  return (Math.log(last.sessions) + 0.577) / rate;
}
