/** Seconds that a rate is the mean of. */
const SPAN_S = 5;

/** Sessions a second from one door, or node, to a group. */
export interface Flow {
  readonly from: string;
  readonly group: string;
  readonly perSecond: number;
}

/** How fast sessions flow from whom to which group, and how many are refused at whose door. */
export class Flows {
  /** Counts of the last seconds, newest first, by "from\ngroup"; an empty group: refused. */
  #seconds: Map<string, number>[] = [new Map()];

  count(from: string, group: string): void {
    const key = `${from}\n${group}`;
    this.#seconds[0]!.set(key, (this.#seconds[0]!.get(key) ?? 0) + 1);
  }

  /** A second is over: the rates, fullest first. What is 0 is left out. */
  tick(): Flow[] {
    const sums = new Map<string, number>();
    for (const second of this.#seconds)
      for (const [key, count] of second) sums.set(key, (sums.get(key) ?? 0) + count);
    this.#seconds = [new Map(), ...this.#seconds.slice(0, SPAN_S - 1)];
    return [...sums]
      .map(([key, count]) => {
        const [from = '', group = ''] = key.split('\n');
        return { from, group, perSecond: count / SPAN_S };
      })
      .sort((a, b) => b.perSecond - a.perSecond);
  }
}
