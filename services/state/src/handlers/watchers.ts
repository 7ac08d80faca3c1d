import type { Node } from '@callmesh/proto/node';
import { NodeStatus, type WatchNodesEvent } from '@callmesh/proto/state';
import { type App, type Component, type Nats, publishNode, roleName } from '@callmesh/runtime';
import type { Counter } from '@opentelemetry/api';
import { now } from '../adapters/clock.ts';
import type { Change, NodeTable } from '../domain/table.ts';
import { toNodeState } from './row.ts';

/** How often nodes are judged, milliseconds. */
const TICK_MS = 100;
/** Load alone is told at most this often per node, milliseconds. */
const LOAD_EVERY_MS = 500;
/** A tick that comes this late means that the process stood still, milliseconds. */
const STOOD_STILL_MS = 1_000;

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
  readonly #told = new Map<string, number>();
  /** Nodes whose load changed and was not told yet. */
  readonly #untold = new Set<string>();
  readonly #changes: Counter;
  #ticked = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(app: App, nats: Nats, table: NodeTable) {
    this.#app = app;
    this.#nats = nats;
    this.#table = table;
    this.#changes = app.meter.createCounter('callmesh_node_changes', {
      description: 'changes of nodes to a status',
    });
    app.meter
      .createObservableGauge('callmesh_node_status', { description: '1 for the status each node has' })
      .addCallback((result) => {
        for (const [node, { status, facts }] of table.rows)
          result.observe(1, { node, ...placeOf(facts.node), status: EVENTS[status]! });
      });
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
    this.#ticked = now();
    this.judge();
    this.#timer = setInterval(() => this.judge(), TICK_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
  }

  listen(listener: Listener): { close(): void } {
    this.#listeners.add(listener);
    return { close: () => this.#listeners.delete(listener) };
  }

  /** Judges every node now and tells what changed. */
  judge(): void {
    const at = now();
    if (at - this.#ticked > STOOD_STILL_MS) this.#table.woke(at);
    this.#ticked = at;
    for (const change of this.#table.tick(at)) {
      if (change.material) this.#announce(change, at);
      if (change.material) this.#tell(change.id, at);
      else this.#untold.add(change.id);
    }
    for (const id of this.#untold) if (at - (this.#told.get(id) ?? 0) >= LOAD_EVERY_MS) this.#tell(id, at);
    const { etcd, nats } = this.#table.doubt;
    const doubted = [etcd && 'etcd', nats && 'NATS'].filter(Boolean).join(' and ');
    const reason = `too many nodes vanished from ${doubted} at once to be dead; they are kept as last known`;
    this.#app.degraded('nodes', doubted ? reason : null);
  }

  /** Tells of the row as it is now. */
  #tell(id: string, at: number): void {
    this.#untold.delete(id);
    const row = this.#table.rows.get(id);
    if (row) this.#told.set(id, at);
    else this.#told.delete(id);
    const event: WatchNodesEvent['event'] = row
      ? { $case: 'put', value: toNodeState(row) }
      : { $case: 'removedNodeId', value: id };
    for (const listener of this.#listeners) listener({ event });
  }

  #announce({ id, row, before }: Change, at: number): void {
    if (!row || row.status === before) return;
    const event = EVENTS[row.status]!;
    this.#changes.add(1, { node: id, ...placeOf(row.facts.node), status: event });
    this.#app.log.info({ node: id, event, reason: row.reason, epoch: row.facts.node.epoch }, 'node state');
    publishNode(this.#nats, {
      nodeId: id,
      epoch: row.facts.node.epoch,
      event,
      reason: row.reason,
      at: new Date(at),
      observer: 'state',
    });
  }
}

function placeOf({ role, group }: Node): { role: string; group: string } {
  return { role: roleName(role), group };
}
