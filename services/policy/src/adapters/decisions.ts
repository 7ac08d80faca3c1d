import type { Decided } from '@callmesh/proto/policy';
import { type App, type Component, type Nats, publishDecided } from '@callmesh/runtime';

/** Decisions are collected this long: those who watch are people. */
const FLUSH_MS = 250;
/** Most decisions of one flush; what is beyond is counted and in the log. */
const MOST = 250;

/** Tells those who watch what this instance decides; a call waits for none of it. */
export class Decisions implements Component {
  readonly name = 'decisions';
  readonly #app: App;
  readonly #nats: Nats;
  #decided: Decided[] = [];
  #omitted = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(app: App, nats: Nats) {
    this.#app = app;
    this.#nats = nats;
  }

  tell(decided: Omit<Decided, 'at' | 'instance'>): void {
    if (this.#decided.length < MOST)
      this.#decided.push({ ...decided, at: new Date(), instance: this.#app.instance });
    else this.#omitted += 1;
    this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS);
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#flush();
  }

  #flush(): void {
    this.#timer = undefined;
    const [decided, omitted] = [this.#decided, this.#omitted];
    this.#decided = [];
    this.#omitted = 0;
    if (decided.length > 0) publishDecided(this.#nats, { decided, omitted });
  }
}
