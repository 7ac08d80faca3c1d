import { setTimeout as delay } from 'node:timers/promises';
import type { App, Component } from '@callmesh/runtime';
import type { Leg } from '../../domain/cdr/leg.ts';
import type { Guard } from './guard.ts';
import type { Keeper } from './keeper.ts';
import type { Recorder } from './recorder.ts';

const DAY_MS = 24 * 3_600_000;
const ROUND_MS = 60_000;
/** Pause after a round that could not be done: the database is away, or not there yet. */
const RETRY_MS = 2_000;
/** Between two steps of a round, so that events are stored in between, milliseconds. */
const STEP_MS = 50;
/** A leg that began longer ago and whose end was not told has lost it: events are kept no longer than that. */
const FORGOTTEN_MS = DAY_MS;

export interface HouseholdParts {
  readonly keeper: Keeper;
  readonly recorder: Recorder;
  readonly guard: Guard;
  readonly keepDays: number;
}

/** Once a minute: removes what is too old, and ends legs whose end nobody will tell. */
export function housekeeping(
  app: App,
  { keeper, recorder, guard, keepDays }: HouseholdParts,
): Component & { lifeEnded(nodeId: string, epoch: string): void } {
  const stop = new AbortController();
  let running: Promise<void> | undefined;

  /** Repeats a step until it finds nothing more. */
  async function all(step: () => Promise<number>): Promise<void> {
    while (!stop.signal.aborted && (await guard(step)) > 0)
      await delay(STEP_MS, undefined, { signal: stop.signal });
  }

  async function end(find: () => Promise<Leg[]>): Promise<void> {
    await all(async () => {
      const legs = await find();
      return (await recorder.record(legs)).legs;
    });
  }

  async function round(): Promise<void> {
    for (const { nodeId, nodeEpoch } of await guard(() => keeper.endedLives()))
      await end(() => keeper.ofLife(nodeId, nodeEpoch));
    await end(() => keeper.forgotten(new Date(Date.now() - FORGOTTEN_MS)));
    await all(() => keeper.trim(new Date(Date.now() - keepDays * DAY_MS)));
  }

  /** Whether it was done; failing is no fault of anybody's who waits for it. */
  async function quietly(work: Promise<void>): Promise<boolean> {
    try {
      await work;
      return true;
    } catch (error) {
      if (!stop.signal.aborted) app.log.debug({ err: error }, 'housekeeping goes on later');
      return false;
    }
  }

  async function run(): Promise<void> {
    while (!stop.signal.aborted) {
      const done = await quietly(round());
      await delay(done ? ROUND_MS : RETRY_MS, undefined, { signal: stop.signal }).catch(() => {});
    }
  }

  return {
    name: 'records-housekeeping',
    lifeEnded: (nodeId, epoch) => void quietly(end(() => keeper.ofLife(nodeId, epoch))),
    async start() {
      running = run();
    },
    async stop() {
      stop.abort();
      await running;
    },
  };
}
