/** Steps of something long: numbered lines with the time each took; on a terminal the line under way is kept current. */
export class Steps {
  readonly #total: number;
  readonly #terminal = process.stdout.isTTY === true;
  #done = 0;
  #title = '';
  #started = 0;

  constructor(total: number) {
    this.#total = total;
  }

  /** Ends the step before and begins the next. */
  next(title: string): void {
    this.end();
    this.#done += 1;
    this.#title = title;
    this.#started = performance.now();
    if (this.#terminal) process.stdout.write(this.#line('...'));
  }

  /** What happens within the step. */
  readonly detail = (text: string): void => {
    if (this.#terminal) process.stdout.write(`\r\u001b[2K${this.#line(text.slice(0, 60))}`);
    else console.log(`      ${text}`);
  };

  end(): void {
    if (!this.#title) return;
    const seconds = `${((performance.now() - this.#started) / 1000).toFixed(1)} s`;
    if (this.#terminal) process.stdout.write('\r\u001b[2K');
    console.log(this.#line(seconds));
    this.#title = '';
  }

  #line(tail: string): string {
    const filled = '#'.repeat(this.#done) + '.'.repeat(this.#total - this.#done);
    return `[${filled}] ${this.#done}/${this.#total} ${this.#title}  ${tail}`;
  }
}
