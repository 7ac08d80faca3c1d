import type { Logger } from 'pino';
import { fail } from './errors.ts';

/** A part of a service that is started, drained and stopped with it. */
export interface Component {
  readonly name: string;
  /** Resolves when the part is usable; a rejection stops the service. */
  start?(): Promise<void>;
  /** First stage of shutdown: take nothing new, finish what is in flight. */
  drain?(): Promise<void>;
  /** Second stage: let go of everything, at once. */
  stop?(): Promise<void>;
}

export type LifecycleState = 'starting' | 'ready' | 'draining' | 'stopped';

/** Most time a part gets to let go in the second stage of shutdown. */
const STOP_MS = 5_000;

/** Starts parts in the order they were added; drains, then stops them in reverse. */
export class Lifecycle {
  state: LifecycleState = 'starting';
  readonly #components: Component[] = [];
  #started = 0;
  #shutdown: Promise<void> | undefined;
  readonly #log: Logger;
  readonly #drainMs: number;

  constructor(log: Logger, drainMs: number) {
    this.#log = log;
    this.#drainMs = drainMs;
  }

  add<C extends Component>(component: C): C {
    if (this.state !== 'starting') throw new Error(`${component.name} added after start`);
    this.#components.push(component);
    return component;
  }

  async start(): Promise<void> {
    for (const component of this.#components) {
      if (this.#shutdown) return;
      this.#started += 1;
      await component.start?.();
    }
    if (!this.#shutdown) this.state = 'ready';
  }

  /** Both stages of shutdown; calling it again returns the one under way. */
  shutdown(): Promise<void> {
    this.#shutdown ??= this.#run();
    return this.#shutdown;
  }

  async #run(): Promise<void> {
    this.state = 'draining';
    const parts = this.#components.slice(0, this.#started).reverse();
    const until = Date.now() + this.#drainMs;
    for (const part of parts)
      await this.#step(part.name, 'drain', part.drain?.bind(part), until - Date.now());
    for (const part of parts) await this.#step(part.name, 'stop', part.stop?.bind(part), STOP_MS);
    this.state = 'stopped';
  }

  async #step(
    name: string,
    stage: string,
    run: (() => Promise<void>) | undefined,
    ms: number,
  ): Promise<void> {
    if (!run) return;
    try {
      await withTimeout(run(), Math.max(ms, 0), `${stage} of ${name}`);
    } catch (error) {
      this.#log.warn({ err: error, component: name, stage }, 'shutdown step failed');
    }
  }
}

/** The promise's result, or a `deadline` error after `ms`; what was started goes on unobserved. */
export async function withTimeout<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(fail('deadline', `${what} took longer than ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
    promise.catch(() => {});
  }
}
