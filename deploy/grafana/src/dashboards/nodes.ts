import type { Board } from '../model.ts';
import { quantile, rate } from '../queries.ts';

const NODES = '{node=~"$node", group=~"$group"}';

export const nodes: Board = {
  uid: 'callmesh-nodes',
  title: 'callmesh / Nodes and groups',
  description: 'Who carries what, and how much more could be carried?',
  variables: [
    { name: 'group', label: 'Group', metric: 'callmesh_node_status' },
    { name: 'node', label: 'Node', metric: 'callmesh_node_status{group=~"$group"}' },
  ],
  rows: [
    {
      title: 'Groups',
      panels: [
        {
          ...{ title: 'How full is each group?', unit: 'percentunit', warn: 0.7, bad: 0.9, max: 1 },
          description: 'Of the nodes that have a limit.',
          queries: [
            {
              expr:
                `sum by (group) (freeswitch_current_sessions${NODES} and freeswitch_max_sessions > 0)` +
                ` / sum by (group) (freeswitch_max_sessions${NODES} > 0)`,
              legend: '{{group}}',
            },
          ],
        },
        {
          title: 'How many more channels can each group take?',
          queries: [
            {
              expr: `sum by (group) ((freeswitch_max_sessions${NODES} > 0) - freeswitch_current_sessions)`,
              legend: '{{group}}',
            },
          ],
        },
        {
          title: 'How unevenly are they loaded?',
          description:
            'Channels of the fullest node less those of the emptiest. A node that drains or is new makes it rise.',
          queries: [
            {
              expr:
                `max by (group) (freeswitch_current_sessions${NODES})` +
                ` - min by (group) (freeswitch_current_sessions${NODES})`,
              legend: '{{group}}',
            },
          ],
        },
      ],
    },
    {
      title: 'Nodes',
      panels: [
        {
          ...{ kind: 'timeline', title: 'What state was each node in?', width: 24 },
          values: {
            '0': { text: 'up', color: 'green' },
            '1': { text: 'suspect', color: 'yellow' },
            '2': { text: 'draining', color: 'blue' },
            '3': { text: 'drained', color: 'purple' },
            '4': { text: 'down', color: 'red' },
          },
          queries: [
            {
              expr: ['up', 'suspect', 'draining', 'drained', 'down']
                .map(
                  (status, n) =>
                    `max by (node) (callmesh_node_status${NODES.replace('}', `, status="${status}"}`)}) * ${n}`,
                )
                .join(' or '),
              legend: '{{node}}',
            },
          ],
        },
        {
          title: 'How many channels does each carry?',
          queries: [{ expr: `freeswitch_current_sessions${NODES}`, legend: '{{node}}' }],
        },
        {
          ...{ title: 'How many new channels a second?', unit: 'ops' },
          queries: [{ expr: `freeswitch_current_sps${NODES}`, legend: '{{node}}' }],
        },
        {
          ...{ title: 'How idle is its host?', unit: 'percent', max: 100, warn: 30, bad: 10 },
          queries: [{ expr: `freeswitch_current_idle_cpu${NODES}`, legend: '{{node}}' }],
        },
        {
          ...{ title: 'How long until calls are answered, by node?', unit: 's' },
          queries: [
            {
              expr: quantile(0.95, 'callmesh_leg_answer_seconds{node=~"$node", direction="inbound"}', 'node'),
              legend: '{{node}}',
            },
          ],
        },
        {
          ...{ kind: 'stacked', title: 'What is it commanded?', unit: 'ops' },
          queries: [
            { expr: rate('callmesh_node_commands_total', 'command, code'), legend: '{{command}} {{code}}' },
          ],
        },
        {
          title: 'How often was the server lost?',
          description: 'Connections to the server that were made anew, or starts of it, in this window.',
          queries: [{ expr: `increase(callmesh_node_reconnects${NODES}[$__range])`, legend: '{{node}}' }],
        },
      ],
    },
  ],
};
