import type { Query } from './model.ts';

/** Grafana replaces it by a window that holds enough scrapes. */
const WINDOW = '$__rate_interval';

/** Growth of a counter per second, summed. */
export function rate(counter: string, by = ''): string {
  return sum(`rate(${counter}[${WINDOW}])`, by);
}

export function sum(expr: string, by = ''): string {
  return by ? `sum by (${by}) (${expr})` : `sum(${expr})`;
}

/** 0 instead of nothing: of what never happened there is no series. */
export function orNone(expr: string): string {
  return `${expr} or vector(0)`;
}

/**
 * Part of a whole, of counters; 0 while none of the part was ever counted, nothing
 * while there is no whole.
 */
export function share(part: string, whole: string, by = ''): string {
  const all = rate(whole, by);
  return `(${rate(part, by)} or ${all} * 0) / (${all} > 0)`;
}

/** A percentile of a histogram. */
export function quantile(q: number, histogram: string, by = ''): string {
  const buckets = `rate(${of(histogram, '_bucket')}[${WINDOW}])`;
  return `histogram_quantile(${q}, ${sum(buckets, by ? `le, ${by}` : 'le')})`;
}

/** The usual percentiles of a latency. */
export function latency(histogram: string): Query[] {
  return [
    { expr: quantile(0.5, histogram), legend: 'half' },
    { expr: quantile(0.95, histogram), legend: '95 %' },
    { expr: quantile(0.99, histogram), legend: '99 %' },
  ];
}

/** The mean of a histogram. */
export function mean(histogram: string, by = ''): string {
  return `${rate(of(histogram, '_sum'), by)} / (${rate(of(histogram, '_count'), by)} > 0)`;
}

/** A series of a histogram: its suffix goes before the labels. */
function of(histogram: string, suffix: string): string {
  const labels = histogram.indexOf('{');
  return labels < 0 ? histogram + suffix : histogram.slice(0, labels) + suffix + histogram.slice(labels);
}
