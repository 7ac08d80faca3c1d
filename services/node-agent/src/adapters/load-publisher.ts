import type { LoadReport, Node } from '@callmesh/proto/node';
import { type Component, type Nats, publishLoad } from '@callmesh/runtime';
import { type Load, LoadReporter } from '../domain/load.ts';

/** Who knows how the node is. */
export interface LoadSource {
  /** The node's record; undefined before its first life is known. */
  readonly node: Node | undefined;
  load(now: number): Load;
  /** Session ids that appeared since this was last called. */
  takeStarted(): string[];
  returnStarted(started: readonly string[]): void;
}

/** How often to look whether there is a node to report of, milliseconds. */
const UNKNOWN_MS = 1_000;

/** Sends load reports: once a second, and a tenth of a second after a change. */
export class LoadPublisher implements Component {
  readonly name = 'load-publisher';
  readonly #nats: Nats;
  readonly #source: LoadSource;
  readonly #reporter = new LoadReporter();
  #timer: NodeJS.Timeout | undefined;
  #stopped = true;
  #last: LoadReport | undefined;

  constructor(nats: Nats, source: LoadSource) {
    this.#nats = nats;
    this.#source = source;
  }

  /** The last report; undefined before the first. */
  get last(): LoadReport | undefined {
    return this.#last;
  }

  async start(): Promise<void> {
    this.#stopped = false;
    this.kick();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Something may have changed: looks when the next report is due. */
  kick(): void {
    if (this.#stopped) return;
    const now = Date.now();
    const due = this.#source.node ? this.#reporter.dueAt(this.#source.load(now)) : now + UNKNOWN_MS;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush(), Math.max(0, due - now));
  }

  /** Sends now, whatever was sent before: for news that must not wait. */
  flush(): void {
    if (this.#stopped) return;
    const { node } = this.#source;
    if (node) this.#publish(node);
    this.kick();
  }

  #publish(node: Node): void {
    const now = Date.now();
    const started = this.#source.takeStarted();
    const report = this.#reporter.report(node, this.#source.load(now), started, now);
    this.#last = report;
    if (!publishLoad(this.#nats, report)) this.#source.returnStarted(started);
  }
}
