import type { Board } from '../model.ts';
import { orNone, rate } from '../queries.ts';

const I = '{instance=~"$edge"}';

export const edges: Board = {
  uid: 'callmesh-edges',
  title: 'callmesh / Edges',
  description: 'What comes to the doors, what is let in, and who is registered?',
  variables: [{ name: 'edge', label: 'Edge', metric: 'kamailio_core_rcv_requests', of: 'instance' }],
  rows: [
    {
      title: 'Traffic',
      panels: [
        {
          ...{ title: 'How many requests come?', unit: 'reqps' },
          queries: ['invite', 'register', 'options', 'bye'].map((method) => ({
            expr: rate(`kamailio_core_rcv_requests_${method}${I}`),
            legend: method.toUpperCase(),
          })),
        },
        {
          ...{ title: 'Who decides where calls go?', unit: 'ops' },
          queries: [{ expr: rate(`kamailio_callmesh_calls_routed_total${I}`, 'by'), legend: '{{by}}' }],
        },
        {
          title: 'How many transactions are open?',
          queries: [{ expr: `kamailio_tmx_inuse_transactions${I}`, legend: '{{instance}}' }],
        },
      ],
    },
    {
      title: 'Agents',
      panels: [
        {
          title: 'How many agents are registered?',
          queries: [{ expr: 'max(callmesh_registered_aors)', legend: 'addresses of record' }],
        },
        {
          title: 'How many sockets are open?',
          queries: [
            { expr: `kamailio_tcp_current_opened_connections${I}`, legend: '{{instance}} TCP and TLS' },
            { expr: `kamailio_websocket_ws_current_connections${I}`, legend: '{{instance}} WebSocket' },
          ],
        },
        {
          ...{ title: 'How many registrations are handed on?', unit: 'ops' },
          queries: [
            { expr: rate(`kamailio_callmesh_registrations_routed_total${I}`, 'by'), legend: '{{by}}' },
          ],
        },
        {
          ...{ title: 'How many did a door end because their socket was gone?', unit: 'ops' },
          queries: [
            { expr: orNone(rate(`kamailio_callmesh_unregistered_total${I}`)), legend: 'unregistered' },
          ],
        },
        {
          title: 'How many changes of registrations wait?',
          queries: [
            {
              expr: 'sum by (service_instance_id) (callmesh_node_registrations_waiting)',
              legend: '{{service_instance_id}}',
            },
          ],
        },
      ],
    },
    {
      title: 'What is kept out',
      panels: [
        {
          ...{ kind: 'stacked', title: 'What is refused, and why?', unit: 'ops' },
          queries: [
            { expr: orNone(rate(`kamailio_callmesh_refused_total${I}`, 'reason')), legend: '{{reason}}' },
          ],
        },
        {
          ...{ kind: 'stacked', title: 'What is dropped without an answer?', unit: 'ops' },
          queries: [
            { expr: orNone(rate(`kamailio_callmesh_dropped_total${I}`, 'reason')), legend: '{{reason}}' },
          ],
        },
        {
          title: 'How many addresses are banned?',
          queries: [{ expr: `kamailio_pike_blocked_ips${I}`, legend: '{{instance}}' }],
        },
      ],
    },
    {
      title: 'The doors themselves',
      panels: [
        {
          ...{ title: 'How much shared memory is used?', unit: 'percentunit', warn: 0.7, bad: 0.9, max: 1 },
          queries: [
            {
              expr: `kamailio_shmem_real_used_size${I} / kamailio_shmem_total_size${I}`,
              legend: '{{instance}}',
            },
          ],
        },
        {
          title: 'How many nodes could each send to without policy?',
          queries: [{ expr: 'callmesh_edge_fallback_destinations', legend: '{{node}}' }],
        },
        {
          ...{ title: 'How often does a relay not do what it is asked?', unit: 'ops' },
          queries: [{ expr: orNone(rate(`kamailio_callmesh_media_failures_total${I}`)), legend: 'failures' }],
        },
      ],
    },
  ],
};
