import type { LegTable } from './leg-table.ts';

/** Where a list of FreeSWITCH's channels and the table disagree; both are suspicions, to be asked about one by one. */
export interface Differences {
  /** Listed, but no event told of them, or not all did. */
  readonly unknown: readonly string[];
  /** In the table, but not listed. */
  readonly vanished: readonly string[];
}

/**
 * Compares the table with `show channels as json`, which FreeSWITCH reads from a
 * database that lags behind its events: a leg younger than the question is not
 * missing, and one that ended lately is not unknown. `askedAt` is when the list
 * was asked for.
 */
export function differences(table: LegTable, listed: ReadonlySet<string>, askedAt: number): Differences {
  return {
    unknown: [...listed].filter((uuid) => !table.isKnown(uuid) && !table.endedLately(uuid)),
    vanished: table
      .legs()
      .filter((leg) => !listed.has(leg.uuid) && leg.knownSince < askedAt)
      .map((leg) => leg.uuid),
  };
}

/** Channel uuids of `show channels as json`; no rows at all when there are none. */
export function listedChannels(json: string): Set<string> {
  const list = JSON.parse(json) as { rows?: { uuid?: unknown }[] };
  const uuids = (list.rows ?? []).map((row) => row.uuid);
  return new Set(uuids.filter((uuid) => typeof uuid === 'string'));
}

/** Heartbeats in a row that must disagree the same way: events and heartbeats of a busy node overtake each other. */
const AGREEING = 3;

/** Notices from heartbeats that the count is off, beyond what calls coming and going explain. */
export class DriftWatch {
  #sign = 0;
  #times = 0;

  /** `reported` is a heartbeat's Session-Count, `counted` the table's size. True: compare the table with the list. */
  observe(reported: number, counted: number): boolean {
    const sign = Math.sign(reported - counted);
    this.#times = sign === 0 || sign !== this.#sign ? Math.abs(sign) : this.#times + 1;
    this.#sign = sign;
    if (this.#times < AGREEING) return false;
    this.#times = 0;
    return true;
  }
}
