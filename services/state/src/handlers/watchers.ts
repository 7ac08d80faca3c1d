import { NodeStatus, type WatchNodesEvent } from '@callmesh/proto/state';
import { type App, type Component, type Nats, publishNode } from '@callmesh/runtime';
import type { Change, NodeTable } from '../domain/table.ts';
import { toNodeState } from './row.ts';

/** How often nodes are judged, milliseconds. */
const TICK_MS = 100;
/** Load alone is told at most this often per node, milliseconds. */
const LOAD_EVERY_MS = 500;

const EVENTS: Partial<Record<NodeStatus, string>> = {
  [NodeStatus.NODE_STATUS_UP]: 'up',
  [NodeStatus.NODE_STATUS_SUSPECT]: 'suspect',
  [NodeStatus.NODE_STATUS_DRAINING]: 'draining',
  [NodeStatus.NODE_STATUS_DRAINED]: 'drained',
  [NodeStatus.NODE_STATUS_DOWN]: 'down',
};

type Listener = (event: WatchNodesEvent) => void;

/** Judges the table again and again and tells who watches, and NATS, what changed. */
export class Watchers implements Component {
  readonly name = 'watchers';
  readonly #app: App;
  readonly #nats: Nats;
  readonly #table: NodeTable;
  readonly #listeners = new Set<Listener>();
  readonly #toldLoad = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(app: App, nats: Nats, table: NodeTable) {
    this.#app = app;
    this.#nats = nats;
    this.#table = table;
    const gauge = app.meter.createObservableGauge('callmesh_nodes', {
      description: 'nodes in the table by status',
    });
    gauge.addCallback((result) => {
      const counts = new Map<string, number>(Object.values(EVENTS).map((status) => [status, 0]));
      for (const row of table.rows.values())
        counts.set(EVENTS[row.status]!, counts.get(EVENTS[row.status]!)! + 1);
      for (const [status, count] of counts) result.observe(count, { status });
    });
  }

  async start(): Promise<void> {
    this.#table.tick(Date.now());
    this.#timer = setInterval(() => this.#tick(Date.now()), TICK_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
  }

  listen(listener: Listener): { close(): void } {
    this.#listeners.add(listener);
    return { close: () => this.#listeners.delete(listener) };
  }

  #tick(now: number): void {
    for (const change of this.#table.tick(now)) {
      if (change.material) this.#announce(change, now);
      if (change.material || now - (this.#toldLoad.get(change.id) ?? 0) >= LOAD_EVERY_MS)
        this.#tell(change, now);
    }
  }

  #tell({ id, row }: Change, now: number): void {
    if (row) this.#toldLoad.set(id, now);
    else this.#toldLoad.delete(id);
    const event: WatchNodesEvent['event'] = row
      ? { $case: 'put', value: toNodeState(row) }
      : { $case: 'removedNodeId', value: id };
    for (const listener of this.#listeners) listener({ event });
  }

  #announce({ id, row, before }: Change, now: number): void {
    if (!row || row.status === before) return;
    const event = EVENTS[row.status]!;
    this.#app.log.info({ node: id, event, reason: row.reason, epoch: row.facts.node.epoch }, 'node state');
    publishNode(this.#nats, {
      nodeId: id,
      epoch: row.facts.node.epoch,
      event,
      reason: row.reason,
      at: new Date(now),
      observer: 'state',
    });
  }
}
