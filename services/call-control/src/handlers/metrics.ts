import type { ErrorCode } from '@callmesh/runtime';
import type { Meter } from '@opentelemetry/api';

export interface CommandMetrics {
  commanded(rpc: string, code: ErrorCode | 'ok' | 'repeated', ms: number): void;
}

export interface ApplicationMetrics {
  started(kind: string): void;
}

/** Commands by name and what came of them, and applications by kind. */
export function controlMetrics(meter: Meter): CommandMetrics & ApplicationMetrics {
  const duration = meter.createHistogram('callmesh_command_duration_seconds', {
    unit: 's',
    description: 'time from a command to what came of it',
  });
  const applications = meter.createCounter('callmesh_applications', {
    description: 'calls the default application took, by what answers them',
  });
  return {
    commanded: (rpc, code, ms) => duration.record(ms / 1000, { command: rpc, code }),
    started: (kind) => applications.add(1, { kind }),
  };
}
