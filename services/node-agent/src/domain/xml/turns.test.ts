import { describe, expect, it } from 'vitest';
import { Turns } from './turns.ts';

const ALL = ['a', 'b', 'c'];

describe('the instances of policy', () => {
  it('are asked in turn', () => {
    const turns = new Turns();
    const first = Array.from({ length: 6 }, () => turns.order(ALL, 0).ready[0]);
    expect(first.toSorted()).toEqual(['a', 'a', 'b', 'b', 'c', 'c']);
    expect(turns.order(ALL, 0).ready.toSorted()).toEqual(ALL);
  });

  it('are left alone a while when they are silent', () => {
    const turns = new Turns();
    turns.silent('b', 1_000);
    expect(turns.order(ALL, 5_999)).toMatchObject({ alone: ['b'] });
    expect(turns.order(ALL, 5_999).ready.toSorted()).toEqual(['a', 'c']);
    expect(turns.order(ALL, 6_000).ready.toSorted()).toEqual(ALL);
  });

  it('are tried by one question alone when the while is over, until they answer', () => {
    const turns = new Turns();
    turns.silent('b', 0);
    turns.asks('b', 5_000);
    expect(turns.order(ALL, 5_001).alone).toEqual(['b']);
    turns.answered('b');
    expect(turns.order(ALL, 5_001).alone).toEqual([]);
    turns.asks('b', 5_001);
    expect(turns.order(ALL, 5_002).alone).toEqual([]);
  });

  it('may be none, and are forgotten when they leave', () => {
    const turns = new Turns();
    expect(turns.order([], 0)).toEqual({ ready: [], alone: [] });
    turns.silent('b', 0);
    turns.order(['a'], 1);
    expect(turns.order(['b'], 2).ready).toEqual(['b']);
  });
});
