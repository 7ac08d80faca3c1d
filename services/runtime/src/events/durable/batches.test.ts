import { describe, expect, it } from 'vitest';
import { batches } from './batches.ts';

async function* numbers(count: number, fails = false): AsyncGenerator<number> {
  for (let n = 0; n < count; n++) yield n;
  if (fails) throw new Error('the source failed');
}

describe('batches', () => {
  it('hold what is there, up to their size, in order', async () => {
    const all = await Array.fromAsync(batches(numbers(7), 3, 1_000));
    expect(all).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
  });

  it('do not wait for more than they were told to', async () => {
    async function* slow() {
      yield 1;
      await new Promise((resolve) => setTimeout(resolve, 200));
      yield 2;
    }
    expect(await Array.fromAsync(batches(slow(), 10, 1))).toEqual([[1], [2]]);
  });

  it('of a source that fails hold what it gave before, and then it fails', async () => {
    const seen: number[][] = [];
    await expect(
      (async () => {
        for await (const batch of batches(numbers(4, true), 3, 1_000)) seen.push(batch);
      })(),
    ).rejects.toThrow('the source failed');
    expect(seen.flat()).toEqual([0, 1, 2, 3]);
  });

  it('ask nothing of the source while one is worked on, but for the next one', async () => {
    let given = 0;
    async function* counted() {
      for (;;) yield ++given;
    }
    const iterator = batches(counted(), 3, 1_000)[Symbol.asyncIterator]();
    await iterator.next();
    await new Promise((resolve) => setImmediate(resolve));
    expect(given).toBe(4);
    await iterator.return(undefined);
  });
});
