import {
  type App,
  type Component,
  type Nats,
  publishAssigned,
  subscribeAssigned,
  subscribeLoad,
} from '@callmesh/runtime';
import type { Mesh } from '../mesh.ts';
import { loadFrom } from './proto.ts';

/** Announcements are collected this long: a burst is a few messages, and the others are hardly behind. */
const FLUSH_MS = 5;

interface Assignment {
  readonly node_id: string;
  readonly epoch: string;
  readonly session_id: string;
}

/** Tells the other policy instances what this one assigns, and counts what they and the nodes tell. */
export class Assignments implements Component {
  readonly name = 'assignments';
  readonly #app: App;
  readonly #nats: Nats;
  readonly #mesh: Mesh;
  readonly #open: { close(): void }[] = [];
  #items: Assignment[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(app: App, nats: Nats, mesh: Mesh) {
    this.#app = app;
    this.#nats = nats;
    this.#mesh = mesh;
  }

  async start(): Promise<void> {
    const { ledger, freshness } = this.#mesh;
    this.#open.push(
      subscribeLoad(this.#nats, (report) => ledger.report(loadFrom(report), Date.now())),
      subscribeAssigned(this.#nats, ({ instance, items }) => {
        if (instance === this.#app.instance) return;
        const now = Date.now();
        for (const { node_id, epoch, session_id } of items) ledger.assign(node_id, epoch, session_id, now);
      }),
    );
    this.#nats.onHealth((connected) => {
      if (connected) freshness.heard('loads');
      else freshness.silent('loads', Date.now());
    });
  }

  async stop(): Promise<void> {
    for (const subscription of this.#open) subscription.close();
    clearTimeout(this.#timer);
    this.#flush();
  }

  announce(nodeId: string, epoch: string, sessionId: string): void {
    this.#items.push({ node_id: nodeId, epoch, session_id: sessionId });
    this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS);
  }

  #flush(): void {
    this.#timer = undefined;
    const items = this.#items;
    this.#items = [];
    if (items.length > 0) publishAssigned(this.#nats, { instance: this.#app.instance, items });
  }
}
