import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fingerprint } from './fingerprint.ts';
import { replay } from './record.ts';

const NOW = 1_000_000;
const BEGUN = { content: 'c', until: NOW + 1 };

describe('a request with a key that was used', () => {
  it('gets the first result', () => {
    expect(replay({ ...BEGUN, outcome: { result: { nodeId: 'fs-1' } } }, 'c', NOW)).toEqual({
      nodeId: 'fs-1',
    });
  });

  it('gets the first error', () => {
    const error = { code: 'precondition_failed', message: 'no such channel', field: 'leg' } as const;
    expect(() => replay({ ...BEGUN, outcome: { error } }, 'c', NOW)).toThrow(expect.objectContaining(error));
  });

  it('waits for nobody while the first is under way', () => {
    expect(() => replay(BEGUN, 'c', NOW)).toThrow(expect.objectContaining({ code: 'conflict' }));
  });

  it('is told that nobody knows, when whoever did the first is gone', () => {
    expect(() => replay(BEGUN, 'c', NOW + 1)).toThrow(expect.objectContaining({ code: 'outcome_unknown' }));
  });

  it('is refused when it is another request', () => {
    expect(() => replay({ ...BEGUN, outcome: { result: {} } }, 'd', NOW)).toThrow(
      expect.objectContaining({ code: 'already_exists', field: 'idempotency_key' }),
    );
  });
});

describe('a fingerprint', () => {
  it('is of the content, not of the order of keys', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const reversed = Object.fromEntries(Object.entries(value).reverse());
        expect(fingerprint(reversed)).toBe(fingerprint(value));
      }),
    );
  });

  it('differs when the content does', () => {
    expect(fingerprint({ a: [1, 2] })).not.toBe(fingerprint({ a: [2, 1] }));
  });
});
