import { BackendState } from '@callmesh/proto/node';
import type { App } from '@callmesh/runtime';
import type { AgentView } from '../handlers/status.ts';

/** What an agent knows of its node, for Prometheus. */
export function agentMetrics({ meter }: App, view: () => AgentView): void {
  const gauge = (name: string, description: string, value: (view: AgentView) => number) =>
    meter.createObservableGauge(name, { description }).addCallback((result) => result.observe(value(view())));
  gauge('callmesh_node_up', '1 while the server answers', ({ load }) =>
    Number(load?.backend === BackendState.BACKEND_STATE_UP),
  );
  gauge('callmesh_node_registered', '1 while etcd holds the record of the node', ({ registered }) =>
    Number(registered),
  );
  gauge('callmesh_node_sessions', 'live channels, counted from events', ({ load }) => load?.sessions ?? 0);
  gauge(
    'callmesh_node_max_sessions',
    'most channels, 0 without a limit',
    ({ load }) => load?.maxSessions ?? 0,
  );
  gauge(
    'callmesh_node_reconnects',
    'how often the control connection, or the server, began anew',
    ({ reconnects }) => reconnects,
  );
  gauge(
    'callmesh_edge_fallback_destinations',
    'entries of the fallback list an edge has loaded',
    (now) => now.fallbackDestinations,
  );
}
