import type { ServerResponse } from 'node:http';
import type { Decided } from '@callmesh/proto/policy';
import type { SessionMove, WatchNodesEvent } from '@callmesh/proto/state';
import type { App, Component } from '@callmesh/runtime';
import { type Flow, Flows } from '../../domain/console/flows.ts';
import type { Recent } from '../../domain/recent.ts';
import type { NodeTable } from '../../domain/table.ts';
import { toNodeState } from '../row.ts';
import type { Watchers } from '../watchers.ts';
import { decisionView, nodeView } from './views.ts';

/** Changes are collected this long, so that 200 nodes are a few messages a second. */
const FLUSH_MS = 250;
const SECOND_MS = 1_000;
/** A page that has not taken so much, bytes, is cut off: it comes again and starts anew. */
const BACKLOG = 4 * 1024 * 1024;
const MOST_PAGES = 200;
const FIRST_DECISIONS = 200;
/** Decisions told at once; in a burst nobody reads more. */
const MOST_DECISIONS = 50;

/** Tells every open page what changes: server-sent events, each made once for all pages. */
export class Stream implements Component {
  readonly name = 'console-stream';
  readonly #app: App;
  readonly #table: NodeTable;
  readonly #recent: Recent;
  readonly #watchers: Watchers;
  readonly #pages = new Set<ServerResponse>();
  readonly #flows = new Flows();
  readonly #changed = new Map<string, WatchNodesEvent['event']>();
  #decided: Decided[] = [];
  #sources = '';
  #rates: readonly Flow[] = [];
  #timers: NodeJS.Timeout[] = [];
  #listening: { close(): void } | undefined;

  constructor(app: App, parts: { table: NodeTable; recent: Recent; watchers: Watchers }) {
    this.#app = app;
    this.#table = parts.table;
    this.#recent = parts.recent;
    this.#watchers = parts.watchers;
  }

  async start(): Promise<void> {
    this.#listening = this.#watchers.listen(({ event }) => {
      if (event?.$case === 'put') this.#changed.set(event.value.node!.id, event);
      else if (event?.$case === 'removedNodeId') this.#changed.set(event.value, event);
    });
    this.#timers = [setInterval(() => this.#flush(), FLUSH_MS), setInterval(() => this.#tick(), SECOND_MS)];
  }

  async drain(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#listening?.close();
    for (const page of this.#pages) page.end();
  }

  stop(): Promise<void> {
    return this.drain();
  }

  /** Counted, also while nobody looks: who comes next sees rates at once. */
  decided(one: Decided): void {
    this.#flows.count(one.edgeId || 'services', one.groupId);
    if (this.#pages.size > 0 && this.#decided.length < MOST_DECISIONS) this.#decided.push(one);
  }

  moved(move: SessionMove): void {
    this.#send('moved', { ...move, at: move.at?.toISOString() });
  }

  /** Adds a page; false when there are too many. */
  open(page: ServerResponse): boolean {
    if (this.#pages.size >= MOST_PAGES) return false;
    page.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // A proxy in front must not collect what is told.
      'x-accel-buffering': 'no',
    });
    this.#pages.add(page);
    page.on('close', () => this.#pages.delete(page));
    page.write('retry: 1000\n\n');
    page.write(message('nodes', { all: true, put: this.#rows(), removed: [] }));
    page.write(message('decided', this.#first()));
    page.write(message('sources', this.#silent()));
    page.write(message('flows', this.#rates));
    return true;
  }

  #rows() {
    return [...this.#table.rows.values()].map((row) => nodeView(toNodeState(row)));
  }

  #first() {
    const any = { sessionId: '', callId: '', tenantId: '', nodeId: '', limit: FIRST_DECISIONS };
    return this.#recent.find(any).decisions.map(decisionView);
  }

  #silent() {
    const { degraded } = this.#app.health();
    return Object.entries(degraded).map(([source, { reason, since }]) => ({ source, reason, since }));
  }

  #flush(): void {
    if (this.#changed.size > 0) {
      const events = [...this.#changed.values()];
      this.#changed.clear();
      this.#send('nodes', {
        put: events.flatMap((event) => (event?.$case === 'put' ? [nodeView(event.value)] : [])),
        removed: events.flatMap((event) => (event?.$case === 'removedNodeId' ? [event.value] : [])),
      });
    }
    if (this.#decided.length > 0) {
      const decided = this.#decided.reverse();
      this.#decided = [];
      this.#send('decided', decided.map(decisionView));
    }
    const sources = JSON.stringify(this.#silent());
    if (sources !== this.#sources) this.#send('sources', this.#silent());
    this.#sources = sources;
  }

  /** Once a second in any case: the page knows by it that the line is alive. */
  #tick(): void {
    this.#rates = this.#flows.tick();
    this.#send('flows', this.#rates);
  }

  #send(event: string, data: unknown): void {
    if (this.#pages.size === 0) return;
    const text = message(event, data);
    for (const page of this.#pages) {
      if (page.writableLength > BACKLOG) page.destroy();
      else page.write(text);
    }
  }
}

function message(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
