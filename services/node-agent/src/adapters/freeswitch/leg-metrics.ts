import type { CallEvent } from '@callmesh/proto/call';
import { type App, roleName } from '@callmesh/runtime';
import type { Histogram, Meter } from '@opentelemetry/api';
import { outcomeOf } from '../../domain/outcome.ts';

/** Bounds where a conversation turns from good to bad (ITU-T P.800: 4 good, 3 fair, 2 poor). */
const MOS = [1, 2, 2.5, 3, 3.5, 3.8, 4, 4.2, 4.4];
/** Milliseconds squared: FreeSWITCH tells the variance. */
const JITTER = [10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000];
/** Seconds a call takes to be answered: longer than a service takes to answer. */
const SETUP = [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 40, 60];

/** What becomes of legs, counted when each ends: by node, tenant and trunk, which an operator has set up. */
export class LegMetrics {
  readonly #legs;
  readonly #talked;
  readonly #packets;
  readonly #lost;
  readonly #progress: Histogram;
  readonly #answered: Histogram;
  readonly #mos: Histogram;
  readonly #jitter: Histogram;

  constructor({ meter }: App) {
    this.#legs = meter.createCounter('callmesh_legs', {
      description: 'legs that ended, by what came of them (answered busy no_answer cancelled refused failed)',
    });
    this.#talked = meter.createCounter('callmesh_legs_answered_seconds', {
      unit: 's',
      description: 'time between answer and end, of legs that were answered',
    });
    this.#packets = meter.createCounter('callmesh_media_packets', {
      description: 'audio packets received by legs that ended',
    });
    this.#lost = meter.createCounter('callmesh_media_packets_lost', {
      description: 'audio packets that were missing or too late',
    });
    this.#progress = histogram(meter, 'callmesh_leg_progress_seconds', SETUP, 'from INVITE until it rings');
    this.#answered = histogram(
      meter,
      'callmesh_leg_answer_seconds',
      SETUP,
      'from INVITE until it is answered',
    );
    this.#mos = histogram(meter, 'callmesh_media_mos', MOS, 'mean opinion score of what was heard, 1 to 4.5');
    this.#jitter = histogram(
      meter,
      'callmesh_media_jitter_max_variance',
      JITTER,
      "largest variance of a leg's jitter, milliseconds squared",
    );
  }

  /** A leg ended. */
  ended(event: CallEvent): void {
    const { summary, nodeId, outbound } = event;
    if (!summary) return;
    const node = { node: nodeId, role: roleName(event.role), direction: outbound ? 'outbound' : 'inbound' };
    const labels = { ...node, tenant: event.tenantId, trunk: event.trunkId };
    this.#legs.add(1, { ...labels, outcome: outcomeOf(event) });
    const { createdAt, progressAt, answeredAt, endedAt, quality } = summary;
    if (createdAt && progressAt) this.#progress.record(seconds(createdAt, progressAt), node);
    if (createdAt && answeredAt) this.#answered.record(seconds(createdAt, answeredAt), node);
    if (answeredAt && endedAt) this.#talked.add(seconds(answeredAt, endedAt), labels);
    if (!quality) return;
    this.#packets.add(quality.packets, labels);
    this.#lost.add(quality.lost, labels);
    this.#mos.record(quality.mos, labels);
    this.#jitter.record(quality.jitterMaxVariance, node);
  }
}

function histogram(meter: Meter, name: string, bounds: number[], description: string): Histogram {
  return meter.createHistogram(name, { description, advice: { explicitBucketBoundaries: bounds } });
}

function seconds(from: Date, to: Date): number {
  return Math.max(0, to.getTime() - from.getTime()) / 1000;
}
