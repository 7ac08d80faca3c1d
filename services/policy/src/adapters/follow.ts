import { setTimeout as delay } from 'node:timers/promises';
import { type App, type Component, toCallmeshError } from '@callmesh/runtime';

const RETRY_FIRST_MS = 50;
const RETRY_MOST_MS = 1_000;

/** A watch of another service: everything that holds, a marker, then changes. */
export interface Feed<M> {
  readonly name: string;
  open(signal: AbortSignal): AsyncIterable<M>;
  /** A new watch begins: what it does not list until its marker is gone. */
  begin(): void;
  /** Takes one message; true at the marker: from here on the feed is current. */
  take(message: M): boolean;
  /** The watch ended; called once per loss, not per attempt. */
  lost(): void;
}

/** Follows a feed for ever. While it is silent, what was last known stays, and health says so. */
export function follow<M>(app: App, feed: Feed<M>): Component {
  const aborter = new AbortController();
  let running: Promise<void> | undefined;
  let current = false;

  async function once(): Promise<string> {
    try {
      feed.begin();
      for await (const message of feed.open(aborter.signal)) {
        if (!feed.take(message)) continue;
        current = true;
        app.degraded(feed.name, null);
      }
      return 'the watch ended';
    } catch (error) {
      const { code, message, cause } = toCallmeshError(error);
      if (code === 'internal') app.log.error({ err: cause ?? error, feed: feed.name }, 'feed failed');
      return message;
    }
  }

  async function run(): Promise<void> {
    let pause = RETRY_FIRST_MS;
    while (!aborter.signal.aborted) {
      const reason = await once();
      if (aborter.signal.aborted) return;
      if (current) {
        pause = RETRY_FIRST_MS;
        feed.lost();
      }
      current = false;
      app.degraded(feed.name, `${reason}; answering from what was last known`);
      await delay(pause, undefined, { signal: aborter.signal }).catch(() => {});
      pause = Math.min(pause * 2, RETRY_MOST_MS);
    }
  }

  return {
    name: `follow-${feed.name}`,
    async start() {
      running = run();
    },
    async stop() {
      aborter.abort();
      await running;
    },
  };
}

/** Finds out what a new watch no longer lists. */
export class Sweep {
  #seen: Set<string> | undefined;

  begin(): void {
    this.#seen = new Set();
  }

  see(key: string): void {
    this.#seen?.add(key);
  }

  /** At the marker: the keys that are not listed any more; nothing the second time. */
  end(known: Iterable<string>): string[] {
    const seen = this.#seen;
    this.#seen = undefined;
    return seen ? [...known].filter((key) => !seen.has(key)) : [];
  }
}
