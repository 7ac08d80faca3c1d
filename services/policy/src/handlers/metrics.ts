import type { Meter } from '@opentelemetry/api';
import { sources } from '../adapters/freshness.ts';
import type { Mesh } from '../mesh.ts';
import { tenantMetrics } from './tenant-metrics.ts';

export interface RoutingMetrics {
  /** A pure decision took this many milliseconds. */
  decided(ms: number): void;
  /** A request was answered: by which strategy, with which error code or "ok", in how many milliseconds. */
  routed(strategy: string, outcome: string, ms: number): void;
  /** Another question was answered: which one, with which error code or "ok", in how many milliseconds. */
  answered(question: Question, outcome: string, ms: number): void;
}

/** What policy is asked beside where a session goes. */
type Question = 'destination' | 'dialplan' | 'directory' | 'registration';

/** Policy's metrics. Labels are few and bounded: tenants and nodes are in the log and in Explain. */
export function routingMetrics(meter: Meter, mesh: Mesh, waiting: () => number): RoutingMetrics {
  const decisions = meter.createCounter('callmesh_policy_decisions', {
    description: 'sessions answered, by strategy ("bound" where a live binding decided) and outcome',
  });
  const decision = meter.createHistogram('callmesh_policy_decision_duration_seconds', {
    unit: 's',
    description: 'time of the pure decision',
  });
  const answer = meter.createHistogram('callmesh_policy_answer_duration_seconds', {
    unit: 's',
    description: 'time from request to answer, binding included',
  });
  const questions = meter.createHistogram('callmesh_policy_question_duration_seconds', {
    unit: 's',
    description:
      'time to answer what a destination is, where an agent registers, or a question of FreeSWITCH, by outcome',
  });
  observe(
    meter,
    'callmesh_policy_trunk_legs',
    'legs out through trunks, told by nodes or just sent out',
    () => mesh.usage.legs.size,
  );
  observe(
    meter,
    'callmesh_policy_agent_legs',
    'legs of agents on media nodes, told by nodes',
    () => mesh.agents.size,
  );
  observe(
    meter,
    'callmesh_policy_pending',
    'sessions assigned that no load report has listed yet',
    () => mesh.ledger.pending,
  );
  observe(meter, 'callmesh_policy_sessions', 'live sessions known, of all instances', () => mesh.usage.size);
  observe(meter, 'callmesh_policy_bindings', 'bindings in memory', () => mesh.bindings.size);
  observe(
    meter,
    'callmesh_policy_bindings_waiting',
    'bindings session-cache could not be asked for yet',
    waiting,
  );
  meter
    .createObservableGauge('callmesh_policy_snapshot_age_seconds', {
      unit: 's',
      description: 'age of what decisions are made from',
    })
    .addCallback((result) => {
      const now = Date.now();
      for (const source of sources) result.observe(mesh.freshness.ageMs(source, now) / 1000, { source });
    });
  tenantMetrics(meter, mesh);
  return {
    decided: (ms) => decision.record(ms / 1000),
    routed(strategy, outcome, ms) {
      decisions.add(1, { strategy, outcome });
      answer.record(ms / 1000, { outcome });
    },
    answered: (question, outcome, ms) => questions.record(ms / 1000, { question, outcome }),
  };
}

function observe(meter: Meter, name: string, description: string, read: () => number): void {
  meter.createObservableGauge(name, { description }).addCallback((result) => result.observe(read()));
}
