import type { Board } from '../model.ts';
import { rate, share } from '../queries.ts';

const T = 'tenant=~"$tenant"';
const CALLS = `callmesh_legs_total{role="media", direction="inbound", ${T}}`;
const ANSWERED = `callmesh_legs_total{role="media", direction="inbound", outcome="answered", ${T}}`;
const TALKED = `callmesh_legs_answered_seconds_total{role="media", direction="inbound", ${T}}`;
/** Each instance of policy tells the same. */
const each = (metric: string) => `max by (tenant) (${metric}{${T}})`;

export const tenants: Board = {
  uid: 'callmesh-tenants',
  title: 'callmesh / Tenants',
  description: 'What does each tenant use of what it may, and how do its calls fare?',
  variables: [{ name: 'tenant', label: 'Tenant', metric: 'callmesh_tenant_sessions' }],
  rows: [
    {
      title: 'Limits',
      panels: [
        {
          title: 'How many calls has each tenant?',
          queries: [{ expr: each('callmesh_tenant_sessions'), legend: '{{tenant}}' }],
        },
        {
          ...{
            title: 'How much of its call limit is used?',
            unit: 'percentunit',
            warn: 0.8,
            bad: 0.95,
            max: 1,
          },
          description: 'Tenants without a limit are not shown.',
          queries: [
            {
              expr: `${each('callmesh_tenant_sessions')} / (${each('callmesh_tenant_max_sessions')} > 0)`,
              legend: '{{tenant}}',
            },
          ],
        },
        {
          ...{
            title: 'How much of its rate limit is used?',
            unit: 'percentunit',
            warn: 0.8,
            bad: 0.95,
            max: 1,
          },
          queries: [
            {
              expr: `${each('callmesh_tenant_starts')} / (${each('callmesh_tenant_max_starts')} > 0)`,
              legend: '{{tenant}}',
            },
          ],
        },
      ],
    },
    {
      title: 'Calls',
      panels: [
        {
          ...{ title: 'How many calls a second?', unit: 'ops' },
          queries: [{ expr: rate(CALLS, 'tenant'), legend: '{{tenant}}' }],
        },
        {
          ...{ title: 'How many are answered (ASR)?', unit: 'percentunit', max: 1 },
          queries: [{ expr: share(ANSWERED, CALLS, 'tenant'), legend: '{{tenant}}' }],
        },
        {
          ...{ title: 'How long do they last (ACD)?', unit: 's' },
          queries: [
            { expr: `${rate(TALKED, 'tenant')} / (${rate(ANSWERED, 'tenant')} > 0)`, legend: '{{tenant}}' },
          ],
        },
        {
          ...{
            kind: 'stacked',
            title: 'What becomes of those that are not answered?',
            unit: 'ops',
            width: 12,
          },
          description: 'Zero while every call is answered.',
          queries: [
            {
              expr: `${rate(CALLS.replace('}', ', outcome!="answered"}'), 'outcome')} or vector(0)`,
              legend: '{{outcome}}',
            },
          ],
        },
        {
          ...{ kind: 'table', title: 'Who calls most?', width: 12 },
          queries: [{ expr: `topk(20, ${each('callmesh_tenant_sessions')})` }],
        },
      ],
    },
  ],
};
