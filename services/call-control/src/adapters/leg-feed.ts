import { setTimeout as delay } from 'node:timers/promises';
import { type App, type Component, type Nats, readCalls, toCallmeshError } from '@callmesh/runtime';
import type { LiveLegs } from '../domain/live-legs.ts';

const RETRY_MS = 500;
/** How often it is looked whether all that was told before is read. */
const LOOK_MS = 100;

/** Keeps the table of live legs: from all that is kept of call events, then from each that comes. */
export function legFeed(app: App, nats: Nats, legs: LiveLegs): Component {
  const stop = new AbortController();
  let after: number | 'start' = 'start';
  let running: Promise<void> | undefined;

  async function follow(signal: AbortSignal): Promise<void> {
    const reading = await readCalls(nats, { tenantId: '*', after }, signal);
    app.degraded('live-legs', null);
    void completes(reading, signal);
    for await (const { event, position } of reading) {
      legs.apply(event);
      after = position;
    }
  }

  async function completes(reading: Awaited<ReturnType<typeof readCalls>>, signal: AbortSignal) {
    try {
      while (!legs.complete) {
        legs.complete = (await reading.position()) >= reading.end;
        if (!legs.complete) await delay(LOOK_MS, undefined, { signal });
      }
    } catch {
      // It was lost on the way: the next reading tells.
    }
  }

  async function followForEver(): Promise<void> {
    while (!stop.signal.aborted) {
      const lost = new AbortController();
      try {
        await follow(AbortSignal.any([stop.signal, lost.signal]));
      } catch (error) {
        const { code, message } = toCallmeshError(error);
        if (!stop.signal.aborted) app.degraded('live-legs', message);
        // What NATS lost it cannot give again: what is left of it is read from its beginning.
        if (code === 'out_of_range') {
          after = 'start';
          legs.complete = false;
        }
      }
      lost.abort();
      await delay(RETRY_MS, undefined, { signal: stop.signal }).catch(() => {});
    }
  }

  return {
    name: 'live-legs',
    async start() {
      running = followForEver();
    },
    async stop() {
      stop.abort();
      await running;
    },
  };
}
