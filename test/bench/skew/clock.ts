import TinyQueue from 'tinyqueue';

interface Due {
  readonly at: number;
  readonly act: () => void;
}

/** Simulated time, milliseconds: what is due happens in order, and nothing is waited for. */
export class Clock {
  now = 0;
  readonly #due = new TinyQueue<Due>([], (a, b) => a.at - b.at);

  after(delay: number, act: () => void): void {
    this.#due.push({ at: this.now + delay, act });
  }

  runUntil(end: number): void {
    for (let next = this.#due.peek(); next && next.at <= end; next = this.#due.peek()) {
      this.#due.pop();
      this.now = next.at;
      next.act();
    }
    this.now = end;
  }
}
