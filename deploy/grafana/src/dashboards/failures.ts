import type { Board } from '../model.ts';
import { orNone, quantile, rate } from '../queries.ts';

export const failures: Board = {
  uid: 'callmesh-failures',
  title: 'callmesh / Failures and moves',
  description: 'What failed, how soon was it noticed, and what became of its calls?',
  rows: [
    {
      title: 'Nodes',
      panels: [
        {
          ...{ kind: 'number', title: 'How many nodes are down?', warn: 1, bad: 2 },
          queries: [{ expr: orNone('max(callmesh_nodes{status="down"})') }],
        },
        {
          ...{ kind: 'number', title: 'How many are suspect?', warn: 1, bad: 3 },
          description: 'One weak sign speaks against them: they get no new calls and keep the live ones.',
          queries: [{ expr: orNone('max(callmesh_nodes{status="suspect"})') }],
        },
        {
          ...{ kind: 'table', title: 'Which are not up?', width: 16 },
          queries: [
            {
              expr: 'max by (node, role, group, status) (callmesh_node_status{status!="up"}) or vector(0)',
            },
          ],
        },
        {
          ...{ title: 'How often do nodes change state?', unit: 'ops', width: 12 },
          queries: [
            {
              expr: orNone(rate('callmesh_node_changes_total', 'node, status')),
              legend: '{{node}} {{status}}',
            },
          ],
        },
        {
          ...{ title: 'Which failures do the doors see?', unit: 'ops', width: 12 },
          description: 'Next target tried because a node did not answer, or answered so.',
          queries: [
            { expr: orNone(rate('kamailio_callmesh_node_failures_total', 'cause')), legend: '{{cause}}' },
          ],
        },
      ],
    },
    {
      title: 'Sessions',
      panels: [
        {
          ...{ title: 'How many sessions are bound, moved, released?', unit: 'ops' },
          queries: [{ expr: rate('callmesh_session_changes_total', 'event'), legend: '{{event}}' }],
        },
        {
          ...{ title: 'How many calls end for want of the network?', unit: 'ops' },
          description: 'Legs that were never answered, for other reasons than those people have.',
          queries: [
            { expr: orNone(rate('callmesh_legs_total{outcome="failed"}', 'node')), legend: '{{node}}' },
          ],
        },
        {
          title: 'Where do the sessions live?',
          queries: [{ expr: 'max by (node) (callmesh_sessions)', legend: '{{node}}' }],
        },
      ],
    },
    {
      title: 'Takeovers',
      panels: [
        {
          ...{ kind: 'number', title: 'How many nodes are being taken over?', warn: 1, bad: 3 },
          queries: [{ expr: orNone('max(callmesh_takeover_active)') }],
        },
        {
          ...{ kind: 'number', title: 'How many calls wait for a node with room?', warn: 1, bad: 10 },
          queries: [{ expr: orNone('max(callmesh_takeover_waiting_calls)') }],
        },
        {
          ...{ kind: 'stacked', title: 'What became of the legs of dead nodes?', unit: 'ops' },
          queries: [{ expr: orNone(rate('callmesh_takeover_legs_total', 'outcome')), legend: '{{outcome}}' }],
        },
        {
          ...{ title: 'How long does it take until all are settled?', unit: 's' },
          queries: [{ expr: orNone(quantile(0.95, 'callmesh_takeover_duration_seconds')), legend: '95 %' }],
        },
        {
          title: 'How many legs could another node go on with?',
          queries: [{ expr: orNone('sum(callmesh_recovery_snapshots)'), legend: 'legs' }],
        },
      ],
    },
  ],
};
