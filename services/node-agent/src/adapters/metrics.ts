import { BackendState, NodeRole } from '@callmesh/proto/node';
import { type App, roleName } from '@callmesh/runtime';
import type { Identity } from '../domain/identity.ts';
import type { AgentView } from '../handlers/status.ts';

/** What an agent's metrics are about. */
function nodeLabels({ id, role, group }: Identity): Record<'node' | 'role' | 'group', string> {
  return { node: id, role: roleName(role), group };
}

/** What an agent knows of its node, for Prometheus. */
export function agentMetrics({ meter }: App, identity: Identity, view: () => AgentView): void {
  const labels = nodeLabels(identity);
  const gauge = (name: string, description: string, value: (view: AgentView) => number) =>
    meter
      .createObservableGauge(name, { description })
      .addCallback((result) => result.observe(value(view()), labels));
  const up = ({ load }: AgentView) => Number(load?.backend === BackendState.BACKEND_STATE_UP);
  gauge('callmesh_node_up', '1 while the server answers', up);
  gauge('callmesh_node_registered', '1 while etcd holds the record of the node', ({ registered }) =>
    Number(registered),
  );
  gauge(
    'callmesh_node_reconnects',
    'how often the control connection, or the server, began anew',
    ({ reconnects }) => reconnects,
  );
  if (identity.role === NodeRole.NODE_ROLE_KAMA_WSS || identity.role === NodeRole.NODE_ROLE_KAMA_PSTN) {
    gauge(
      'callmesh_edge_fallback_destinations',
      'entries of the fallback list an edge has loaded',
      (now) => now.fallbackDestinations,
    );
    return;
  }
  gauge('freeswitch_up', '1 while FreeSWITCH answers', up);
  gauge('freeswitch_current_sessions', 'live channels', ({ load }) => load?.sessions ?? 0);
  gauge('freeswitch_max_sessions', 'most channels, 0 without a limit', ({ load }) => load?.maxSessions ?? 0);
  gauge(
    'freeswitch_current_sps',
    'new channels in the last second',
    ({ load }) => load?.sessionsPerSecond ?? 0,
  );
  gauge('freeswitch_current_idle_cpu', 'idle CPU of its host, percent', ({ load }) => load?.idleCpu ?? 0);
}
