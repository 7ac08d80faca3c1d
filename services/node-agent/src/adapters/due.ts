/** Work that is done again and again, never twice at once, at the earliest moment it was asked for. */
export class Due {
  readonly #work: () => Promise<void>;
  #timer: NodeJS.Timeout | undefined;
  #at = 0;
  #doing = Promise.resolve();

  /** `work` never rejects. */
  constructor(work: () => Promise<void>) {
    this.#work = work;
  }

  /** In so many milliseconds at the latest. */
  in(ms: number): void {
    const at = Date.now() + ms;
    if (this.#timer && this.#at <= at) return;
    clearTimeout(this.#timer);
    this.#at = at;
    this.#timer = setTimeout(() => void this.now(), ms);
  }

  /** As soon as what is being done is done. */
  now(): Promise<void> {
    this.cancel();
    this.#doing = this.#doing.then(this.#work);
    return this.#doing;
  }

  /** What was asked for is not wanted any more. */
  cancel(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
