import { fail } from '@callmesh/runtime';
import type { Entry, Replica } from './replica.ts';
import { type Held, isAffinity, type Session } from './session.ts';

export type Step =
  | { readonly what: 'put' | 'released'; readonly entry: Entry<Session> }
  | { readonly what: 'snapshot_done' };

/** Most changes kept for a watcher that reads slower than the mesh changes. */
const MOST_WAITING = 50_000;

/** Gives every watcher what holds, a marker, then each change, in the order memory takes them. */
export class FanOut {
  readonly #replica: Replica<Held>;
  readonly #watchers = new Set<(step: Step) => void>();

  constructor(replica: Replica<Held>) {
    this.#replica = replica;
    replica.onChange((_key, before, after) => this.#changed(before, after));
  }

  #changed(before: Entry<Held> | undefined, after: Entry<Held> | undefined): void {
    if (this.#watchers.size === 0) return;
    const [old, now] = [sessionIn(before), sessionIn(after)];
    // Written anew without a change (compaction, a store made anew): no news.
    if (old && now && sameJson(old.value, now.value)) return;
    const ended = old && old.value.sessionId !== now?.value.sessionId ? old : undefined;
    for (const tell of this.#watchers) {
      if (ended) tell({ what: 'released', entry: ended });
      if (now) tell({ what: 'put', entry: now });
    }
  }

  /**
   * Steps for one watcher until the signal aborts. Errors: unavailable when memory
   * was never complete, or the watcher is too slow; it then watches anew.
   */
  async *watch(tenantId: string, signal: AbortSignal): AsyncGenerator<Step> {
    if (!this.#replica.synced) throw fail('unavailable', 'the store has not been reached yet');
    const waiting: Step[] = [];
    let wake = () => {};
    let overflow = false;
    const tell = (step: Step) => {
      if (step.what !== 'snapshot_done' && tenantId && step.entry.value.tenantId !== tenantId) return;
      if (waiting.length >= MOST_WAITING) overflow = true;
      else waiting.push(step);
      wake();
    };
    const stop = () => wake();
    signal.addEventListener('abort', stop);
    this.#watchers.add(tell);
    try {
      const snapshot = [...this.#sessions(tenantId)];
      for (const entry of snapshot) yield { what: 'put', entry };
      yield { what: 'snapshot_done' };
      while (!signal.aborted) {
        if (overflow) throw fail('unavailable', 'the watcher reads too slowly');
        if (waiting.length) yield* waiting.splice(0);
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    } finally {
      this.#watchers.delete(tell);
      signal.removeEventListener('abort', stop);
    }
  }

  *#sessions(tenantId: string): Generator<Entry<Session>> {
    for (const [, entry] of this.#replica.entries()) {
      const session = sessionIn(entry);
      if (session && (!tenantId || session.value.tenantId === tenantId)) yield session;
    }
  }
}

function sessionIn(entry: Entry<Held> | undefined): Entry<Session> | undefined {
  return entry && !isAffinity(entry.value) ? (entry as Entry<Session>) : undefined;
}

function sameJson(a: Session, b: Session): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
