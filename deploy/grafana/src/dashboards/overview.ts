import type { Board } from '../model.ts';
import { latency, orNone, quantile, rate, share, sum } from '../queries.ts';

/** A call is counted where it is answered: at the media node it came to. */
const CALLS = 'callmesh_legs_total{role="media", direction="inbound"}';
const ANSWERED = 'callmesh_legs_total{role="media", direction="inbound", outcome="answered"}';
const ANSWER = 'callmesh_leg_answer_seconds{role="media", direction="inbound"}';

export const overview: Board = {
  uid: 'callmesh-overview',
  title: 'callmesh / Overview',
  description: 'Is the mesh well, and how much does it carry?',
  rows: [
    {
      title: 'Now',
      panels: [
        {
          kind: 'number',
          title: 'How many calls are up?',
          queries: [{ expr: 'max(callmesh_policy_sessions)' }],
        },
        {
          ...{ kind: 'number', title: 'How many begin each second?', unit: 'ops' },
          queries: [{ expr: rate('callmesh_session_changes_total{event="bound"}') }],
        },
        {
          ...{
            kind: 'number',
            title: 'How many are answered?',
            unit: 'percentunit',
            warn: 0.5,
            bad: 0.3,
            max: 1,
          },
          description: 'Answer-seizure ratio of calls that reached a media node.',
          queries: [{ expr: share(ANSWERED, CALLS) }],
        },
        {
          ...{
            kind: 'number',
            title: 'How long until nearly all are answered?',
            unit: 's',
            warn: 10,
            bad: 30,
          },
          queries: [{ expr: quantile(0.95, ANSWER) }],
        },
        {
          ...{ kind: 'number', title: 'How many nodes are not up?', warn: 1, bad: 2 },
          description: 'Drained nodes are not counted: somebody wanted that.',
          queries: [{ expr: orNone('sum(max by (status) (callmesh_nodes{status=~"down|suspect"}))') }],
        },
        {
          ...{ kind: 'number', title: 'How many sources are silent?', warn: 1, bad: 3 },
          description: 'Answers come from last known state meanwhile; "Services" names them.',
          queries: [{ expr: sum('callmesh_degraded') }],
        },
      ],
    },
    {
      title: 'Calls',
      panels: [
        {
          ...{ kind: 'stacked', title: 'Where are the calls?', width: 12 },
          queries: [{ expr: 'sum by (group) (freeswitch_current_sessions)', legend: '{{group}}' }],
        },
        {
          ...{ kind: 'stacked', title: 'What becomes of them?', unit: 'ops', width: 12 },
          queries: [{ expr: rate(CALLS, 'outcome'), legend: '{{outcome}}' }],
        },
        {
          ...{ title: 'How long does it take until they are answered?', unit: 's' },
          queries: latency(ANSWER),
        },
        {
          ...{ title: 'How long does a door wait for policy?', unit: 's' },
          queries: latency('callmesh_policy_answer_duration_seconds'),
        },
        {
          ...{ kind: 'stacked', title: 'What is refused at the doors, and why?', unit: 'ops' },
          queries: [
            { expr: orNone(rate('kamailio_callmesh_refused_total', 'reason')), legend: '{{reason}}' },
          ],
        },
      ],
    },
  ],
};
