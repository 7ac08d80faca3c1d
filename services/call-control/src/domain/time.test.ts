import { describe, expect, it } from 'vitest';
import { until, within } from './time.ts';

describe('the time of a command', () => {
  it('is five seconds when nobody says', () => {
    expect(until(Number.POSITIVE_INFINITY, 1_000)).toBe(6_000);
    expect(until(Number.POSITIVE_INFINITY, 1_000, 60_000)).toBe(61_000);
  });

  it('ends before its caller gives up, so that the caller hears what came of it', () => {
    expect(until(3_000, 1_000)).toBe(2_500);
  });

  it('is refused when there is none', () => {
    expect(() => until(1_500, 1_000)).toThrow(expect.objectContaining({ code: 'deadline' }));
    expect(() => within(1_000, 500, 1_000)).toThrow(expect.objectContaining({ code: 'deadline' }));
  });

  it('bounds the questions on its way', () => {
    expect([within(2_000, 500, 1_000), within(1_100, 500, 1_000)]).toEqual([500, 100]);
  });
});
