import { type DesiredState, NodeRole } from '@callmesh/proto/node';
import type { NodeState, StateServiceServer, WatchNodesEvent } from '@callmesh/proto/state';
import { type App, type Etcd, fail, streamHandler, unaryHandler, type Write } from '@callmesh/runtime';
import { now } from '../adapters/clock.ts';
import { adminKey, desiredWord } from '../adapters/etcd-feed.ts';
import type { Recent } from '../domain/recent.ts';
import type { NodeTable } from '../domain/table.ts';
import { drainNode } from './drain.ts';
import { toNodeState } from './row.ts';
import type { Watchers } from './watchers.ts';

const NODE_ID = /^[a-z0-9-]{1,63}$/;
/** Events a slow watcher may be behind before it is cut off to start anew. */
const BACKLOG = 10_000;
const MOST_DECISIONS = 1_000;
const SOURCES = ['etcd', 'nats'];

interface Filter {
  readonly role: NodeRole;
  readonly group: string;
}

function matches({ role, group }: Filter, { node }: NodeState): boolean {
  const anyRole = role === NodeRole.NODE_ROLE_UNSPECIFIED;
  return (anyRole || node?.role === role) && (group === '' || node?.group === group);
}

function checkId(id: string): string {
  if (!NODE_ID.test(id))
    throw fail('invalid_argument', 'node_id: expected 1-63 of a-z, 0-9 and "-"', { field: 'node_id' });
  return id;
}

/** What the service answers from. */
export interface Sources {
  readonly etcd: Etcd;
  readonly table: NodeTable;
  readonly recent: Recent;
  readonly watchers: Watchers;
}

export function stateService(app: App, { etcd, table, recent, watchers }: Sources): StateServiceServer {
  const select = (filter: Filter) =>
    [...table.rows.values()]
      .map(toNodeState)
      .filter((row) => matches(filter, row))
      .sort((a, b) => (a.node!.id < b.node!.id ? -1 : 1));

  /** Writes down what is wanted of a node; returns what was before. */
  async function want(nodeId: string, desired: DesiredState, actor: string): Promise<DesiredState> {
    const word = desiredWord(desired);
    if (!word)
      throw fail('invalid_argument', 'desired: expected active, draining or disabled', { field: 'desired' });
    const previous = table.desiredOf(nodeId);
    await etcd.put(adminKey(nodeId), word);
    // Who asks for the node next sees it, also before etcd has told all replicas.
    table.desired(nodeId, desired, now());
    app.log.info({ node: nodeId, desired: word, actor }, 'desired state set');
    return previous;
  }

  return {
    listNodes: unaryHandler((request) => ({
      nodes: select(request),
      silentSources: Object.keys(app.health().degraded).filter((source) => SOURCES.includes(source)),
    })),

    getNode: unaryHandler(({ nodeId }) => {
      const row = table.rows.get(checkId(nodeId));
      if (!row) throw fail('not_found', `no node ${nodeId}`, { field: 'node_id' });
      return toNodeState(row);
    }),

    watchNodes: streamHandler((request, { signal }, write) => watch(request, signal, write)),

    setDesiredState: unaryHandler(async ({ nodeId, desired, actor }, context) => ({
      previous: await want(checkId(nodeId), desired, actor || context.actor),
    })),

    drainNode: streamHandler((request, { signal, actor: caller }, write) => {
      const { nodeId, actor } = request;
      const parts = { table, watchers, want };
      return drainNode(parts, { ...request, nodeId: checkId(nodeId), actor: actor || caller }, signal, write);
    }),

    listDecisions: unaryHandler((request) => {
      if (request.limit > MOST_DECISIONS)
        throw fail('invalid_argument', `limit: expected at most ${MOST_DECISIONS}`, { field: 'limit' });
      return recent.find(request);
    }),
  };

  async function watch(filter: Filter, signal: AbortSignal, write: Write<WatchNodesEvent>): Promise<void> {
    const queue: WatchNodesEvent[] = [];
    let wake: () => void = () => {};
    const listener = watchers.listen((event) => {
      queue.push(event);
      wake();
    });
    signal.addEventListener('abort', () => wake(), { once: true });
    const wanted = ({ event }: WatchNodesEvent) => event?.$case !== 'put' || matches(filter, event.value);
    try {
      for (const value of select(filter)) await write({ event: { $case: 'put', value } });
      await write({ event: { $case: 'snapshotDone', value: {} } });
      while (!signal.aborted) {
        if (queue.length > BACKLOG) throw fail('unavailable', 'too slow for the changes: watch again');
        const next = queue.shift();
        if (next) {
          if (wanted(next)) await write(next);
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      listener.close();
    }
  }
}
