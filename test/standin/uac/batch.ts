import type { CallOptions, Outcome, UacCall } from './call.ts';

export interface RunOptions {
  count: number;
  /** Calls per second. */
  rate: number;
  /** BYE so many milliseconds after the answer; 0 keeps them up: hang up `batch.calls` yourself. */
  holdMs: number;
  call: (index: number) => CallOptions;
  /** Called with each answer, e.g. to act inside the dialog before the BYE. */
  onAnswer?: (call: UacCall, outcome: Outcome) => void | Promise<void>;
}

export interface Batch {
  calls: UacCall[];
  outcomes: Outcome[];
  /** Answered, and (with holdMs) ended by our BYE answered 200. */
  completed: number;
  failed: Outcome[];
  byNode: Map<string, number>;
  byStatus: Map<number, number>;
  setupMs: { p50: number; p95: number; max: number };
}

/** Counts what became of a run. */
export function summary(calls: UacCall[], outcomes: Outcome[], completed: number): Batch {
  const byNode = new Map<string, number>();
  const byStatus = new Map<number, number>();
  for (const { node, status } of outcomes) {
    byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
    if (status < 300) byNode.set(node, (byNode.get(node) ?? 0) + 1);
  }
  const times = outcomes.map(({ setupMs }) => setupMs).sort((a, b) => a - b);
  const at = (part: number) => times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0;
  return {
    calls,
    outcomes,
    completed,
    failed: outcomes.filter(({ status }) => status >= 300),
    byNode,
    byStatus,
    setupMs: { p50: at(0.5), p95: at(0.95), max: times.at(-1) ?? 0 },
  };
}
