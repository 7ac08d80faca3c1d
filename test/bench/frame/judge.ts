import { max, median, min } from 'simple-statistics';
import type { Benchmark, Limit, Sample } from './benchmark.ts';
import type { Samples } from './rounds.ts';

/** The middle of all rounds, and how far they lie apart. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

export interface Row {
  readonly figure: string;
  readonly side: string;
  readonly value: Spread;
  /** The first side's figure over this one's, round by round; of the first side none. */
  readonly ratio: Spread | undefined;
}

export interface Verdict {
  readonly limit: Limit;
  readonly side: string;
  readonly value: number;
  readonly holds: boolean;
}

export function rowsOf(samples: Samples): Row[] {
  const [first = ''] = samples.keys();
  const rows: Row[] = [];
  for (const figure of figuresOf(samples))
    for (const [side, all] of samples) {
      const values = valuesOf(all, figure);
      if (values.length === 0) continue;
      const ratios = side === first ? [] : ratiosOf(samples, figure, first, side);
      rows.push({
        ...{ figure, side, value: spreadOf(values) },
        ratio: ratios.length > 0 ? spreadOf(ratios) : undefined,
      });
    }
  return rows;
}

export function verdictsOf({ limits }: Pick<Benchmark, 'limits'>, samples: Samples): Verdict[] {
  const [first = ''] = samples.keys();
  return limits.map((limit) => {
    const { figure, over, atMost = Number.POSITIVE_INFINITY, atLeast = Number.NEGATIVE_INFINITY } = limit;
    const side = limit.side ?? first;
    const values = over ? ratiosOf(samples, figure, side, over) : valuesOf(samples.get(side) ?? [], figure);
    // A figure that was not measured holds nothing.
    const value = values.length > 0 ? median(values) : Number.NaN;
    return { limit, side, value, holds: value <= atMost && value >= atLeast };
  });
}

function figuresOf(samples: Samples): Set<string> {
  return new Set([...samples.values()].flat().flatMap((sample) => Object.keys(sample)));
}

function valuesOf(samples: readonly Sample[], figure: string): number[] {
  return samples.map((sample) => sample[figure]).filter((value) => value !== undefined);
}

/** One side over another, each round by itself: what slows a machine for a while slows both. */
function ratiosOf(samples: Samples, figure: string, side: string, over: string): number[] {
  const others = samples.get(over) ?? [];
  return (samples.get(side) ?? [])
    .map((sample, round) => (sample[figure] ?? Number.NaN) / (others[round]?.[figure] ?? Number.NaN))
    .filter((ratio) => Number.isFinite(ratio));
}

function spreadOf(values: number[]): Spread {
  return { median: median(values), least: min(values), most: max(values) };
}
