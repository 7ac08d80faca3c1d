import { describe, expect, it } from 'vitest';
import { untilEmpty } from './estimate.ts';

describe('the estimated end of a drain', () => {
  it('is unknown until a session has ended', () => {
    expect(untilEmpty([])).toBeUndefined();
    expect(untilEmpty([{ at: 0, sessions: 9 }])).toBeUndefined();
    expect(
      untilEmpty([
        { at: 0, sessions: 9 },
        { at: 1000, sessions: 9 },
      ]),
    ).toBeUndefined();
  });

  it('is now when nothing is left', () => {
    expect(
      untilEmpty([
        { at: 0, sessions: 9 },
        { at: 1000, sessions: 0 },
      ]),
    ).toBe(0);
  });

  it('follows how calls end: half of them in every half-life', () => {
    const left = untilEmpty([
      { at: 0, sessions: 64 },
      { at: 60_000, sessions: 32 },
    ]);
    // ln 32 + 0.577 half-lives over ln 2.
    expect(left! / 60_000).toBeCloseTo((Math.log(32) + 0.577) / Math.LN2, 6);
  });
});
