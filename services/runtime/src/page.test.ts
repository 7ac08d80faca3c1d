import { describe, expect, it } from 'vitest';
import { afterToken, pageSize, pageToken } from './page.ts';

describe('a page', () => {
  it('has 100 entries unless told, 1000 at most', () => {
    expect(pageSize(0)).toBe(100);
    expect(pageSize(1000)).toBe(1000);
    expect(() => pageSize(1001)).toThrow(expect.objectContaining({ field: 'page_size' }));
  });

  it('continues where its token says, and only in its own list', () => {
    const token = pageToken('agent/acme', 'bob@acme.example');
    expect(afterToken('agent/acme', token)).toBe('bob@acme.example');
    for (const [list, bad] of [
      ['agent/b', token],
      ['agent/acme', 'zzz'],
      ['agent/acme', token.slice(0, -4)],
    ] as const)
      expect(() => afterToken(list, bad)).toThrow(expect.objectContaining({ field: 'page_token' }));
  });
});
