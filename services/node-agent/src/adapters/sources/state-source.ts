import { NodeRole } from '@callmesh/proto/node';
import { type NodeState, NodeStatus, StateServiceClient, type WatchNodesEvent } from '@callmesh/proto/state';
import { type App, type Component, grpcClient, serverStream } from '@callmesh/runtime';
import type { NodeRow, NodeStatusWord } from '../../domain/kamailio/node-row.ts';
import { again } from './retry.ts';

const WORDS: Record<NodeStatus, NodeStatusWord> = {
  [NodeStatus.NODE_STATUS_UNSPECIFIED]: 'suspect',
  [NodeStatus.NODE_STATUS_UP]: 'up',
  [NodeStatus.NODE_STATUS_SUSPECT]: 'suspect',
  [NodeStatus.NODE_STATUS_DRAINING]: 'draining',
  [NodeStatus.NODE_STATUS_DRAINED]: 'drained',
  [NodeStatus.NODE_STATUS_DOWN]: 'down',
  [NodeStatus.UNRECOGNIZED]: 'suspect',
};

export interface StateListener {
  onChange(): void;
  /** A node left the table for good. */
  onRemoved(nodeId: string): void;
}

/** Follows the state service's node table. */
export class StateSource implements Component {
  readonly name = 'state-source';
  readonly #app: App;
  readonly #client: StateServiceClient;
  readonly #listener: StateListener;
  readonly #abort = new AbortController();
  #rows: ReadonlyMap<string, NodeRow> | undefined;

  constructor(app: App, target: string, listener: StateListener) {
    this.#app = app;
    this.#client = grpcClient(app, StateServiceClient, target);
    this.#listener = listener;
  }

  /** The table as of now; undefined while the service is silent. */
  get rows(): NodeRow[] | undefined {
    return this.#rows && [...this.#rows.values()];
  }

  async start(): Promise<void> {
    const { signal } = this.#abort;
    void again(
      signal,
      () => this.#follow(signal),
      (error) => {
        this.#rows = undefined;
        if (signal.aborted) return;
        this.#app.degraded('state', error.message);
        this.#listener.onChange();
      },
    );
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    this.#client.close();
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const rows = new Map<string, NodeRow>();
    const everything = { role: NodeRole.NODE_ROLE_UNSPECIFIED, group: '' };
    for await (const event of serverStream(this.#client, 'watchNodes', everything, { signal })) {
      const changed = this.#apply(rows, event);
      if (event.event?.$case === 'snapshotDone') {
        this.#rows = rows;
        this.#app.degraded('state', null);
      }
      if (changed && this.#rows) this.#listener.onChange();
    }
  }

  #apply(rows: Map<string, NodeRow>, { event }: WatchNodesEvent): boolean {
    switch (event?.$case) {
      case 'put':
        return put(rows, event.value);
      case 'removedNodeId':
        this.#listener.onRemoved(event.value);
        rows.delete(event.value);
        return true;
      default:
        return true;
    }
  }
}

/** Load changes twice a second; an edge only cares where a node is and what may be done with it. */
function put(rows: Map<string, NodeRow>, { node, status }: NodeState): boolean {
  if (!node) return false;
  const row: NodeRow = { node, status: WORDS[status] };
  const before = rows.get(node.id);
  rows.set(node.id, row);
  return JSON.stringify(before) !== JSON.stringify(row);
}
