import { build } from 'hdr-histogram-js';

/** Values of any size with three digits that count; `resolution` is how many steps make 1. */
export class Histogram {
  readonly #resolution: number;
  readonly #values = build({ bitBucketSize: 'packed', numberOfSignificantValueDigits: 4 });

  constructor(resolution = 1_000) {
    this.#resolution = resolution;
  }

  record(value: number): void {
    this.#values.recordValue(Math.max(0, Math.round(value * this.#resolution)));
  }

  percentile(percent: number): number {
    return this.#values.getValueAtPercentile(percent) / this.#resolution;
  }

  get count(): number {
    return this.#values.totalCount;
  }
}
