/** Something that waits to be sent. */
export interface Waiting<T> {
  readonly lane: string;
  readonly item: T;
}

/**
 * What waits to be sent, in lanes: one of each lane is under way at a time, so
 * that what is sent again after a failure never falls behind what came later.
 * Holds at most `capacity`; beyond it the oldest goes.
 */
export class Outbox<T> {
  readonly #capacity: number;
  /** Everything, oldest first. */
  readonly #all = new Set<Waiting<T>>();
  readonly #lanes = new Map<string, Waiting<T>[]>();
  /** First of each lane, where it is not under way. */
  readonly #ready = new Set<Waiting<T>>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** How much waits, with what is under way. */
  get size(): number {
    return this.#all.size;
  }

  /** Adds at the end of a lane; true when the oldest had to go for it. */
  add(lane: string, item: T): boolean {
    const waiting = { lane, item };
    this.#all.add(waiting);
    const queue = this.#lanes.get(lane);
    if (queue) queue.push(waiting);
    else {
      this.#lanes.set(lane, [waiting]);
      this.#ready.add(waiting);
    }
    return this.#all.size > this.#capacity && this.#dropOldest();
  }

  /** The next that may be sent; its lane stands still until it is done or put back. */
  take(): Waiting<T> | undefined {
    const [next] = this.#ready;
    if (next) this.#ready.delete(next);
    return next;
  }

  /** It was sent: the lane goes on. */
  done(sent: Waiting<T>): void {
    this.#remove(sent);
  }

  /** It was not: it stays first of its lane. */
  putBack(failed: Waiting<T>): void {
    this.#ready.add(failed);
  }

  /** What is under way stays: it may be there already. */
  #dropOldest(): boolean {
    for (const oldest of this.#all) {
      const first = this.#lanes.get(oldest.lane)?.[0] === oldest;
      if (first && !this.#ready.has(oldest)) continue;
      this.#remove(oldest);
      return true;
    }
    return false;
  }

  #remove(waiting: Waiting<T>): void {
    const { lane } = waiting;
    const queue = this.#lanes.get(lane)!;
    const wasFirst = queue[0] === waiting;
    queue.splice(queue.indexOf(waiting), 1);
    this.#all.delete(waiting);
    this.#ready.delete(waiting);
    if (queue[0] === undefined) this.#lanes.delete(lane);
    else if (wasFirst) this.#ready.add(queue[0]);
  }
}
