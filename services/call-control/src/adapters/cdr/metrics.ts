import type { Meter } from '@opentelemetry/api';

/** Rows that a batch wrote, by kind. */
type Stored = Partial<Record<'legs' | 'sessions' | 'refusals', number>>;

export interface RecordMetrics {
  stored(rows: Stored): void;
  unusable(kind: string, events: number): void;
}

export function recordMetrics(meter: Meter): RecordMetrics {
  const stored = meter.createCounter('callmesh_records_stored', {
    description: 'rows written for call detail records and refusals, by kind',
  });
  const unusable = meter.createCounter('callmesh_records_unusable', {
    description: 'events no record could be made of, by kind',
  });
  return {
    stored(rows) {
      for (const [kind, count] of Object.entries(rows)) stored.add(count, { kind });
    },
    unusable: (kind, events) => events > 0 && unusable.add(events, { kind }),
  };
}
