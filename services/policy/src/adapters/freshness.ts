/** What decisions are made from; each can fall silent on its own. */
export const sources = ['tenants', 'nodes', 'loads', 'sessions'] as const;
export type Source = (typeof sources)[number];

/** Since when each source is silent: the age of what decisions are made from. */
export class Freshness {
  readonly #silentSince = new Map<Source, number>();
  readonly #waiting = new Set<() => void>();

  constructor(now: number) {
    for (const source of sources) this.#silentSince.set(source, now);
  }

  heard(source: Source): void {
    this.#silentSince.delete(source);
    for (const check of this.#waiting) check();
  }

  /** Resolves when all these are heard, or after `ms` all the same. */
  async until(wanted: readonly Source[], ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve();
      };
      const check = () => {
        if (wanted.every((source) => !this.#silentSince.has(source))) done();
      };
      const timer = setTimeout(done, ms);
      this.#waiting.add(check);
      check();
    });
  }

  /** `since` may lie in the past: a snapshot file was written then. */
  silent(source: Source, since: number): void {
    if (!this.#silentSince.has(source)) this.#silentSince.set(source, since);
  }

  /** Moves the age of sources that were never heard back to when their snapshot was written. */
  startFrom(savedAt: number): void {
    for (const source of this.#silentSince.keys()) this.#silentSince.set(source, savedAt);
  }

  silentSince(source: Source): number | undefined {
    return this.#silentSince.get(source);
  }

  /** Age in milliseconds of one source; 0 while it is heard. */
  ageMs(source: Source, now: number): number {
    const since = this.#silentSince.get(source);
    return since === undefined ? 0 : Math.max(0, now - since);
  }

  /** Age of the oldest of what a choice of node rests on. */
  oldestMs(now: number): number {
    return Math.max(...(['tenants', 'nodes', 'loads'] as const).map((source) => this.ageMs(source, now)));
  }
}
