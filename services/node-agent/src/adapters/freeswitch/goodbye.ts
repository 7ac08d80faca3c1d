import { setTimeout as delay } from 'node:timers/promises';
import type { Component } from '@callmesh/runtime';
import type { FreeSwitch } from './freeswitch.ts';

const LOOK_MS = 50;
/** A session that was given to the node before anybody knew may take so long to arrive, milliseconds. */
const ON_ITS_WAY_MS = 1_000;

/**
 * When the agent is asked to stop, its node first takes nothing new, and is given up when it carries nothing any
 * more, or when the time for stopping (`shutdown.drain_s`) is over.
 */
export class Goodbye implements Component {
  readonly name = 'goodbye';
  readonly #freeswitch: FreeSwitch;

  constructor(freeswitch: FreeSwitch) {
    this.#freeswitch = freeswitch;
  }

  async drain(): Promise<void> {
    const node = this.#freeswitch;
    node.retire();
    const earliest = performance.now() + ON_ITS_WAY_MS;
    const isOver = () => node.legs().length === 0 && performance.now() >= earliest;
    // One that is not connected has nothing that could be waited for.
    while (node.epoch !== undefined && !isOver()) await delay(LOOK_MS);
  }
}
