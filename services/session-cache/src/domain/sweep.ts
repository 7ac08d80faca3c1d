import { isOver } from './legs.ts';
import type { Entry, Replica } from './replica.ts';
import { type Held, isAffinity, type Session } from './session.ts';
import type { Sessions } from './sessions.ts';

export interface SweepTimes {
  /** A binding that no node confirms in this time is dropped, milliseconds. */
  readonly unconfirmedMs: number;
  /** A session whose legs have all ended, but not in order, goes after this. */
  readonly overMs: number;
  /** A hold on an affinity whose session is nowhere goes after this. */
  readonly orphanMs: number;
}

/** Most sessions one sweep ends: an outage's worth must not hold up calls. */
const BATCH = 500;

/**
 * Drops what nothing else ends: unconfirmed bindings, sessions whose last hangup
 * overtook its creation, holds of sessions that are gone. Times run on this
 * replica's own clock from when it first saw the state, and only while memory
 * follows the store: silence is no reason to drop anything.
 */
export class Sweep {
  readonly #sessions: Sessions;
  readonly #replica: Replica<Held>;
  readonly #times: SweepTimes;
  /** Since when a session could be dropped; in the order they came. */
  readonly #unconfirmed = new Map<string, number>();
  readonly #over = new Map<string, number>();
  readonly #orphans = new Map<string, Map<string, number>>();
  readonly #now: () => number;
  #liveSince: number | undefined;

  /** `now` is monotonic, milliseconds. */
  constructor(sessions: Sessions, replica: Replica<Held>, times: SweepTimes, now: () => number) {
    this.#sessions = sessions;
    this.#replica = replica;
    this.#times = times;
    this.#now = now;
    replica.onChange((_key, before, after) => this.#note(before, after));
  }

  #note(before: Entry<Held> | undefined, after: Entry<Held> | undefined): void {
    const old = before?.value;
    const now = after?.value;
    if (old && !isAffinity(old) && (!now || isAffinity(now) || now.sessionId !== old.sessionId)) {
      this.#unconfirmed.delete(old.sessionId);
      this.#over.delete(old.sessionId);
    }
    if (!now || isAffinity(now)) return;
    this.#mark(this.#unconfirmed, now, !now.confirmed);
    this.#mark(this.#over, now, isOver(now));
  }

  #mark(since: Map<string, number>, session: Session, is: boolean): void {
    if (!is) since.delete(session.sessionId);
    else if (!since.has(session.sessionId)) since.set(session.sessionId, this.#now());
  }

  /** One round; returns how many sessions it ended. Rejects with `unavailable` when the store goes silent. */
  async run(): Promise<number> {
    if (!this.#replica.live) {
      this.#liveSince = undefined;
      return 0;
    }
    this.#liveSince ??= this.#now();
    const ended =
      (await this.#end(this.#unconfirmed, this.#times.unconfirmedMs, (now) => !now.confirmed)) +
      (await this.#end(this.#over, this.#times.overMs, isOver));
    await this.#expel();
    return ended;
  }

  async #end(since: Map<string, number>, afterMs: number, still: (now: Session) => boolean): Promise<number> {
    let ended = 0;
    for (const [id, at] of since) {
      if (ended >= BATCH) break;
      // What would have confirmed it may have waited while the store was away.
      if (this.#now() - Math.max(at, this.#liveSince!) < afterMs) break;
      const entry = this.#sessions.index.get(id);
      if (!entry) since.delete(id);
      else if (await this.#sessions.end(entry.value, still)) ended += 1;
    }
    return ended;
  }

  async #expel(): Promise<void> {
    for (const [key, affinity] of this.#sessions.index.affinities) {
      const missing = affinity.holders.filter((id) => !this.#sessions.index.get(id));
      if (missing.length === 0) {
        this.#orphans.delete(key);
        continue;
      }
      const expelled = this.#overdue(key, missing);
      if (expelled.size) await this.#sessions.affinities.expel(affinity, expelled);
    }
    for (const key of this.#orphans.keys())
      if (!this.#sessions.index.affinities.has(key)) this.#orphans.delete(key);
  }

  #overdue(key: string, missing: string[]): Set<string> {
    const before = this.#orphans.get(key);
    const since = new Map(missing.map((id) => [id, before?.get(id) ?? this.#now()]));
    this.#orphans.set(key, since);
    const limit = this.#now() - this.#times.orphanMs;
    return new Set(missing.filter((id) => Math.max(since.get(id)!, this.#liveSince!) <= limit));
  }
}
