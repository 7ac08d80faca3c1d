import type { App } from '@callmesh/runtime';

const SECONDS = [0.1, 0.2, 0.5, 1, 1.5, 2, 3, 5, 10, 30];

/** What is counted of takeovers, by the replica that leads. */
export class TakeoverMetrics {
  readonly #legs;
  readonly #duration;
  #waiting = 0;
  #active = 0;

  constructor({ meter }: App) {
    this.#legs = meter.createCounter('callmesh_takeover_legs', {
      description: 'legs of dead nodes, by what came of them',
    });
    this.#duration = meter.createHistogram('callmesh_takeover_duration_seconds', {
      description: 'from the beginning of a takeover until every leg is settled',
      unit: 's',
      advice: { explicitBucketBoundaries: SECONDS },
    });
    meter
      .createObservableGauge('callmesh_takeover_active', { description: 'takeovers under way' })
      .addCallback((result) => result.observe(this.#active));
    meter
      .createObservableGauge('callmesh_takeover_waiting_calls', {
        description: 'calls of dead nodes that no node has room for, or whose heir does not answer',
      })
      .addCallback((result) => result.observe(this.#waiting));
  }

  began(): void {
    this.#active += 1;
  }

  ended(role: string, beganAt: number, waiting: number): void {
    this.#active -= 1;
    this.#waiting = waiting;
    if (waiting === 0) this.#duration.record((Date.now() - beganAt) / 1000, { role });
  }

  leg(node: string, role: string, outcome: string): void {
    this.#legs.add(1, { node, role, outcome });
  }
}
