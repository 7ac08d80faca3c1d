/** Something that happens once, and who waits for it. */
export class Signal {
  happened = false;
  private readonly waiting = new Set<() => void>();

  fire(): void {
    if (this.happened) return;
    this.happened = true;
    for (const listener of this.waiting) listener();
    this.waiting.clear();
  }

  /** Calls back when it happens, at once when it has; returns how to take that back. */
  on(listener: () => void): () => void {
    if (this.happened) listener();
    else this.waiting.add(listener);
    return () => this.waiting.delete(listener);
  }

  wait(): Promise<void> {
    return new Promise((resolve) => this.on(resolve));
  }

  /** Resolves when it happens, or after so many milliseconds; Infinity is never. */
  within(ms: number): Promise<void> {
    if (this.happened || ms === Number.POSITIVE_INFINITY) return this.wait();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        off();
        resolve();
      }, ms);
      const off = this.on(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
