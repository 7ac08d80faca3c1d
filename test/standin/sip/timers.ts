/** RFC 3261 section 17 timers, milliseconds. Tests shrink them; the wire does not care. */
export interface SipTimers {
  /** Round-trip estimate. */
  t1: number;
  /** Longest gap between retransmissions of requests other than INVITE, and of responses to INVITE. */
  t2: number;
  /** How long a message stays in the network. */
  t4: number;
}

export const RFC_TIMERS: SipTimers = { t1: 500, t2: 4000, t4: 5000 };

/** Timers of one transaction, all of which end with it. */
export class TimerSet {
  private readonly running = new Map<string, NodeJS.Timeout>();

  start(name: string, ms: number, run: () => void): void {
    this.stop(name);
    this.running.set(
      name,
      setTimeout(() => {
        this.running.delete(name);
        run();
      }, ms),
    );
  }

  stop(name: string): void {
    clearTimeout(this.running.get(name));
    this.running.delete(name);
  }

  stopAll(): void {
    for (const timer of this.running.values()) clearTimeout(timer);
    this.running.clear();
  }

  /** Calls `run` again and again, the gap doubling from `first` up to `longest`. */
  repeat(name: string, first: number, longest: number, run: () => void): void {
    const again = (gap: number) =>
      this.start(name, gap, () => {
        again(Math.min(gap * 2, longest));
        run();
      });
    again(first);
  }
}
