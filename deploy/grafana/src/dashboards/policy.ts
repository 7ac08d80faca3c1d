import type { Board } from '../model.ts';
import { latency, orNone, quantile, rate, share } from '../queries.ts';

export const policy: Board = {
  uid: 'callmesh-policy',
  title: 'callmesh / Policy',
  description: 'How are calls decided, how fast, and from how fresh a picture?',
  variables: [
    { name: 'instance', label: 'Instance', metric: 'callmesh_policy_sessions', of: 'service_instance_id' },
  ],
  rows: [
    {
      title: 'Decisions',
      panels: [
        {
          ...{ kind: 'stacked', title: 'By which strategy?', unit: 'ops' },
          description: '"bound": a live binding decided.',
          queries: [
            {
              expr: rate(
                'callmesh_policy_decisions_total{outcome="ok", service_instance_id=~"$instance"}',
                'strategy',
              ),
              legend: '{{strategy}}',
            },
          ],
        },
        {
          ...{ kind: 'stacked', title: 'Why are calls refused?', unit: 'ops' },
          queries: [
            {
              expr: orNone(rate('callmesh_policy_decisions_total{outcome!="ok"}', 'outcome')),
              legend: '{{outcome}}',
            },
          ],
        },
        {
          ...{
            title: 'How many are decided without policy?',
            unit: 'percentunit',
            max: 1,
            warn: 0.001,
            bad: 0.01,
          },
          description: 'By the local lists of the doors: no instance answered them.',
          queries: [
            {
              expr: share('kamailio_callmesh_fallback_total', 'kamailio_callmesh_calls_routed_total'),
              legend: 'fallback',
            },
          ],
        },
      ],
    },
    {
      title: 'Speed',
      panels: [
        {
          ...{ title: 'How long does a decision take?', unit: 's' },
          queries: latency('callmesh_policy_decision_duration_seconds{service_instance_id=~"$instance"}'),
        },
        {
          ...{ title: 'And with its binding?', unit: 's' },
          queries: latency('callmesh_policy_answer_duration_seconds{service_instance_id=~"$instance"}'),
        },
        {
          ...{ title: 'And everything else it is asked?', unit: 's' },
          queries: [
            {
              expr: quantile(
                0.95,
                'callmesh_policy_question_duration_seconds{service_instance_id=~"$instance"}',
                'question',
              ),
              legend: '{{question}}',
            },
          ],
        },
        {
          ...{ title: 'How do its instances fail the doors?', unit: 'ops' },
          description: 'An instance that times out is left alone until it answers again.',
          queries: [
            { expr: orNone(rate('kamailio_callmesh_policy_failures_total', 'kind')), legend: '{{kind}}' },
          ],
        },
      ],
    },
    {
      title: 'What it decides from',
      panels: [
        {
          ...{ title: 'How old is what it knows?', unit: 's', warn: 10, bad: 60 },
          queries: [
            {
              expr: 'max by (source, service_instance_id) (callmesh_policy_snapshot_age_seconds{service_instance_id=~"$instance"})',
              legend: '{{source}} {{service_instance_id}}',
            },
          ],
        },
        {
          title: 'How many assignments has no node reported yet?',
          description: 'Rises with the rate of calls; if it stays, load reports are missing.',
          queries: [
            {
              expr: 'callmesh_policy_pending{service_instance_id=~"$instance"}',
              legend: '{{service_instance_id}}',
            },
          ],
        },
        {
          title: 'How many bindings wait for session-cache?',
          queries: [
            {
              expr: 'callmesh_policy_bindings_waiting{service_instance_id=~"$instance"}',
              legend: '{{service_instance_id}}',
            },
          ],
        },
        {
          title: 'How many legs are out through trunks?',
          queries: [{ expr: 'max(callmesh_policy_trunk_legs)', legend: 'legs' }],
        },
      ],
    },
  ],
};
