import { decide, decide3 } from './decide/decide.ts';
import type { Benchmark } from './frame/benchmark.ts';
import { scale } from './scale/scale.ts';
import { skew } from './skew/skew.ts';

/** In the order `all` runs them. */
export const benchmarks: readonly Benchmark[] = [skew, decide, decide3, scale];
