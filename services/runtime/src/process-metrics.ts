import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Meter } from '@opentelemetry/api';

/** Pauses of the event loop are looked for this often, milliseconds. */
const LOOK_MS = 10;
const START_S = Date.now() / 1000 - process.uptime();

/** What a process takes of its machine, under the names Prometheus' own client libraries use. */
export function processMetrics(meter: Meter): void {
  const delay = monitorEventLoopDelay({ resolution: LOOK_MS });
  delay.enable();
  const gauge = (name: string, unit: string, description: string, read: () => number) =>
    meter.createObservableGauge(name, { unit, description }).addCallback((result) => result.observe(read()));
  gauge('process_start_time_seconds', 's', 'when it began, seconds since 1970', () => START_S);
  gauge('process_resident_memory_bytes', 'By', 'memory it holds', () => process.memoryUsage.rss());
  gauge('nodejs_eventloop_lag_p99_seconds', 's', 'longest pause but 1 % since the last scrape', () => {
    const seconds = Math.max(0, delay.percentile(99) / 1e9 - LOOK_MS / 1000);
    delay.reset();
    return seconds;
  });
  meter
    .createObservableCounter('process_cpu_seconds', { unit: 's', description: 'CPU time it used' })
    .addCallback((result) => {
      const { user, system } = process.cpuUsage();
      result.observe((user + system) / 1e6);
    });
}
