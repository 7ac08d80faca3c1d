import { describe, expect, it } from 'vitest';
import { decide } from '../src/domain/decide.ts';
import { seeded } from './support/rows.ts';
import { buildRequest, buildSnapshot, EPOCH, type TestSnapshot } from './support/world.ts';
import { callSpec, world } from './support/world-schema.ts';

const NODES = 10;
const INSTANCES = 3;
const CALLS = 1_000;
/** How long announcements are collected before they are sent, milliseconds. */
const FLUSH_MS = 5;

/** Runs what is due, in order of time. */
class Clock {
  now = 0;
  readonly #due: { at: number; act: () => void }[] = [];
  later(delay: number, act: () => void): void {
    this.#due.push({ at: this.now + delay, act });
  }
  run(): void {
    for (;;) {
      this.#due.sort((a, b) => b.at - a.at);
      const next = this.#due.pop();
      if (!next) return;
      this.now = next.at;
      next.act();
    }
  }
}

interface Burst {
  /** The INVITEs come within this many milliseconds. */
  readonly spreadMs: number;
  /** Message delay between instances: from, to. */
  readonly delayMs: readonly [number, number];
  readonly seed: number;
}

/** Sends a burst through instances that know of each other only by delayed messages; returns sessions per node. */
function simulate({ spreadMs, delayMs, seed }: Burst): number[] {
  const random = seeded(seed);
  const clock = new Clock();
  const delay = () => delayMs[0] + random() * (delayMs[1] - delayMs[0]);
  const instances = Array.from({ length: INSTANCES }, newInstance);
  const nodes = new Map<string, { sessions: number; started: string[]; seq: number; reporting: boolean }>();

  const report = (nodeId: string) => {
    const node = nodes.get(nodeId)!;
    node.reporting = false;
    const message = {
      nodeId,
      epoch: EPOCH,
      sessions: node.sessions,
      max: 0,
      seq: ++node.seq,
      backend: 'up' as const,
    };
    const startedSessions = node.started.splice(0);
    for (const { ledger } of instances)
      clock.later(delay(), () => ledger.report({ ...message, startedSessions }, clock.now));
  };
  const arrive = (nodeId: string, sessionId: string) => {
    const node = nodes.get(nodeId) ?? { sessions: 0, started: [], seq: 1, reporting: false };
    nodes.set(nodeId, node);
    node.sessions += 1;
    node.started.push(sessionId);
    if (!node.reporting) clock.later(100, () => report(nodeId));
    node.reporting = true;
  };
  const invite = (from: number, sessionId: string) => {
    const snapshot = instances[from]!;
    const request = buildRequest(callSpec.parse({ call_id: sessionId }));
    const [target] = decide(request, snapshot, clock.now, random).targets;
    snapshot.ledger.assign(target!.id, EPOCH, sessionId, clock.now);
    for (const [to, other] of instances.entries()) {
      if (to !== from)
        clock.later(random() * FLUSH_MS + delay(), () =>
          other.ledger.assign(target!.id, EPOCH, sessionId, clock.now),
        );
    }
    clock.later(5 + random() * 20, () => arrive(target!.id, sessionId));
  };
  for (let i = 0; i < CALLS; i += 1)
    clock.later(random() * spreadMs, () => invite(Math.floor(random() * INSTANCES), `s${i}`));
  clock.run();
  return [...nodes.values()].map(({ sessions }) => sessions);
}

function newInstance(): TestSnapshot {
  const nodes = Array.from({ length: NODES }, (_, i) => [
    `n${i}`,
    { group: 'g', at: `10.0.0.${i}:5060`, max: 1_800 },
  ]);
  return buildSnapshot(
    world.parse({
      tenants: {
        acme: { domain: 'acme.example', trunks: { pbx: { from: ['192.0.2.10'] } }, links: { general: 'g' } },
      },
      groups: { g: {} },
      nodes: Object.fromEntries(nodes),
    }),
  );
}

describe('a burst of 1,000 INVITEs over 3 policy instances and 10 equal nodes', () => {
  it.each([
    ['within a second, messages taking 1-3 ms', 5, { spreadMs: 1_000, delayMs: [1, 3] }],
    ['within a second, messages taking 5-40 ms', 5, { spreadMs: 1_000, delayMs: [5, 40] }],
    // A hundred calls are decided before the first announcement of them arrives: what is left is rounding.
    ['ten times as fast, within 100 ms', 10, { spreadMs: 100, delayMs: [1, 10] }],
  ] as const)('%s, puts at most %i %% more on the fullest node than the mean', (_name, percent, burst) => {
    for (let seed = 1; seed <= 5; seed += 1) {
      const sessions = simulate({ ...burst, seed });
      expect(sessions.reduce((sum, count) => sum + count, 0)).toBe(CALLS);
      expect(Math.max(...sessions)).toBeLessThanOrEqual((CALLS / NODES) * (1 + percent / 100));
    }
  });
});
