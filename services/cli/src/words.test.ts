import { describe, expect, it } from 'vitest';
import { ago, functionOf, span, word } from './words.ts';

describe('words', () => {
  it('names enum values as people write them', () => {
    expect(word('NODE_STATUS_DRAINING', 'NODE_STATUS')).toBe('draining');
    expect(word('FUNCTION_OUTBOUND_BOT', 'FUNCTION')).toBe('outbound-bot');
  });

  it('reads a function, and names them all when it is none', () => {
    expect(functionOf('outbound-bot')).toBe('FUNCTION_OUTBOUND_BOT');
    expect(() => functionOf('robots')).toThrow('expected one of general, gray, outbound-bot');
    expect(() => functionOf('unspecified')).toThrow('expected one of');
  });

  it.each([
    [0, '0s'],
    [59_499, '59s'],
    [61_000, '1m 1s'],
    [3_600_000, '1h 0m'],
    [90_061_000, '1d 1h'],
  ])('says %d ms as %s', (ms, said) => {
    expect(span(ms)).toBe(said);
  });

  it('says when something never was', () => {
    expect(ago(undefined)).toBe('-');
  });
});
