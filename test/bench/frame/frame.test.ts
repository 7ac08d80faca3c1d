import { describe, expect, it } from 'vitest';
import type { Benchmark, Sample } from './benchmark.ts';
import { withFigures } from './document.ts';
import { rowsOf, verdictsOf } from './judge.ts';
import { run } from './rounds.ts';

const setting = { quick: false, say() {} };

/** A benchmark of two sides that writes down who was asked when. */
function scripted(sides: Record<string, (round: number) => Sample>, limits: Benchmark['limits'] = []) {
  const asked: string[] = [];
  const contest = Object.entries(sides).map(([name, side]) => [
    name,
    async ({ number }: { number: number }) => {
      asked.push(`${name}${number}`);
      return side(number);
    },
  ]);
  const benchmark: Benchmark = {
    ...{ name: 'scripted', measures: 'nothing', peer: 'nobody', limits },
    open: async () => ({
      sides: Object.fromEntries(contest),
      versions: {},
      close: async () => void asked.push('closed'),
    }),
  };
  return { benchmark, asked };
}

describe('a benchmark', () => {
  it('measures its sides in turn, five times, after a warm-up that does not count', async () => {
    const { benchmark, asked } = scripted({ a: (round) => ({ x: round }), b: () => ({ x: 1 }) });
    const { samples } = await run(benchmark, setting);
    expect(asked.join(' ')).toBe('a-1 b-1 a0 b0 a1 b1 a2 b2 a3 b3 a4 b4 closed');
    expect(samples.get('a')!.map(({ x }) => x)).toEqual([0, 1, 2, 3, 4]);
  });

  it('is closed when a side fails', async () => {
    const { benchmark, asked } = scripted({
      a() {
        throw new Error('no');
      },
    });
    await expect(run(benchmark, setting)).rejects.toThrow('no');
    expect(asked.at(-1)).toBe('closed');
  });

  it('compares the sides of one round, so that a slow moment of the machine slows both', async () => {
    const speed = (round: number) => (round === 2 ? 10 : 100);
    const { benchmark } = scripted(
      { a: (round) => ({ x: 0.9 * speed(round) }), b: (round) => ({ x: speed(round) }) },
      [
        { figure: 'x', over: 'b', atLeast: 0.9 },
        { figure: 'x', over: 'b', atLeast: 0.95 },
        { figure: 'x', side: 'b', atMost: 100 },
        { figure: 'y', atMost: 1 },
      ],
    );
    const { samples } = await run(benchmark, setting);
    const [, b] = rowsOf(samples);
    expect(b).toEqual({
      ...{ figure: 'x', side: 'b', value: { median: 100, least: 10, most: 100 } },
      ratio: { median: 0.9, least: 0.9, most: 0.9 },
    });
    // What was not measured holds nothing.
    expect(verdictsOf(benchmark, samples).map(({ holds }) => holds)).toEqual([true, false, true, false]);
  });
});

describe('the document', () => {
  it('gets the figures of a benchmark in their place, and keeps what people wrote', () => {
    const first = withFigures('# Benchmarks\n\nHow it is done.\n', 'skew', 'figures of May');
    const written = first.replace('## skew\n', '## skew\n\nWhat was found.\n');
    const second = withFigures(withFigures(written, 'decide', 'three'), 'skew', 'two $&');
    expect(second).toContain('How it is done.');
    expect(second).toContain('What was found.');
    expect(second).toContain('two $&');
    expect(second).not.toContain('figures of May');
    expect(second.indexOf('two')).toBeLessThan(second.indexOf('three'));
  });

  it('is left alone when a mark is missing', () => {
    expect(() => withFigures('<!-- figures of skew -->', 'skew', 'x')).toThrow('broken');
  });
});
