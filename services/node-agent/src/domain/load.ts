import type { BackendState, LoadReport, Node } from '@callmesh/proto/node';

/** What a load report is made of. */
export interface Load {
  readonly sessions: number;
  readonly maxSessions: number;
  /** Percent. */
  readonly idleCpu: number;
  readonly backend: BackendState;
  readonly reason: string;
  /** Sessions created in this life so far. */
  readonly created: number;
}

/** Shortest time between two reports, milliseconds. */
const COALESCE_MS = 100;
/** Longest time between two reports, milliseconds. */
const EVERY_MS = 1_000;
/** Over which new sessions are counted, milliseconds. */
const RATE_MS = 1_000;

/** Makes load reports in order, and says when the next one is due. */
export class LoadReporter {
  #seq = 0;
  #last: { readonly load: Load; readonly at: number } | undefined;
  /** Sessions created so far, at past moments, oldest first. */
  readonly #history: { readonly at: number; readonly created: number }[] = [];

  /** When the next report is due, milliseconds since 1970: at once after a change, else after a second. */
  dueAt(load: Load): number {
    if (!this.#last) return 0;
    return this.#last.at + (changed(this.#last.load, load) ? COALESCE_MS : EVERY_MS);
  }

  report(node: Node, load: Load, started: readonly string[], now: number): LoadReport {
    this.#last = { load, at: now };
    this.#seq += 1;
    return {
      nodeId: node.id,
      role: node.role,
      epoch: node.epoch,
      sessions: load.sessions,
      maxSessions: load.maxSessions,
      idleCpu: load.idleCpu,
      seq: this.#seq,
      startedSessions: [...started],
      backend: load.backend,
      backendReason: load.reason,
      sessionsPerSecond: this.#rate(load.created, now),
    };
  }

  #rate(created: number, now: number): number {
    const history = this.#history;
    // Another life counts from zero again.
    if (history.length > 0 && history.at(-1)!.created > created) history.length = 0;
    history.push({ at: now, created });
    while (history.length > 1 && history[1]!.at <= now - RATE_MS) history.shift();
    return created - history[0]!.created;
  }
}

/** Idle CPU alone is no news: it never stands still. */
function changed(before: Load, after: Load): boolean {
  return (
    before.sessions !== after.sessions ||
    before.created !== after.created ||
    before.maxSessions !== after.maxSessions ||
    before.backend !== after.backend
  );
}
