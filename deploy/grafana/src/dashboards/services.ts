import type { Board } from '../model.ts';
import { orNone, quantile, rate, share } from '../queries.ts';

const S = 'service_name=~"$service"';

export const services: Board = {
  uid: 'callmesh-services',
  title: 'callmesh / Services',
  description: 'How are the services themselves?',
  variables: [
    { name: 'service', label: 'Service', metric: 'process_start_time_seconds', of: 'service_name' },
  ],
  rows: [
    {
      title: 'Health',
      panels: [
        {
          title: 'How many instances run?',
          queries: [
            {
              expr: `count by (service_name) (process_start_time_seconds{${S}})`,
              legend: '{{service_name}}',
            },
          ],
        },
        {
          title: 'Who answers from last known state, for want of what?',
          queries: [
            {
              expr: `max by (service_name, source) (callmesh_degraded{${S}})`,
              legend: '{{service_name}}: {{source}}',
            },
          ],
        },
        {
          title: 'How long do they run?',
          unit: 's',
          queries: [{ expr: `time() - process_start_time_seconds{${S}}`, legend: '{{service_instance_id}}' }],
        },
      ],
    },
    {
      title: 'Calls between them',
      panels: [
        {
          ...{ title: 'How many?', unit: 'reqps' },
          queries: [
            { expr: rate(`rpc_server_call_duration_count{${S}}`, 'rpc_method'), legend: '{{rpc_method}}' },
          ],
        },
        {
          ...{ title: 'How many fail?', unit: 'percentunit', warn: 0.01, bad: 0.05, max: 1 },
          queries: [
            {
              expr: share(
                `rpc_server_call_duration_count{${S}, rpc_response_status_code=~"INTERNAL|UNAVAILABLE|DEADLINE_EXCEEDED|UNKNOWN"}`,
                `rpc_server_call_duration_count{${S}}`,
                'service_name',
              ),
              legend: '{{service_name}}',
            },
          ],
        },
        {
          ...{ title: 'How long do they take?', unit: 's' },
          queries: [
            {
              expr: quantile(0.95, `rpc_client_call_duration{${S}}`, 'rpc_method'),
              legend: '{{rpc_method}}',
            },
          ],
        },
      ],
    },
    {
      title: 'Processes',
      panels: [
        {
          ...{ title: 'How much CPU does each use?', unit: 'percentunit' },
          queries: [
            {
              expr: rate(`process_cpu_seconds_total{${S}}`, 'service_instance_id'),
              legend: '{{service_instance_id}}',
            },
          ],
        },
        {
          ...{ title: 'How much memory?', unit: 'bytes' },
          queries: [{ expr: `process_resident_memory_bytes{${S}}`, legend: '{{service_instance_id}}' }],
        },
        {
          ...{ title: 'How long does each stand still?', unit: 's', warn: 0.05, bad: 0.25 },
          queries: [{ expr: `nodejs_eventloop_lag_p99_seconds{${S}}`, legend: '{{service_instance_id}}' }],
        },
      ],
    },
    {
      title: 'Stores and records',
      panels: [
        {
          title: 'What does session-cache hold?',
          queries: [
            { expr: 'max(sum by (service_instance_id) (callmesh_sessions))', legend: 'sessions' },
            { expr: 'max(callmesh_session_affinities)', legend: 'affinity keys' },
          ],
        },
        {
          ...{ title: 'How many records are written?', unit: 'ops' },
          queries: [{ expr: rate('callmesh_records_stored_total', 'kind'), legend: '{{kind}}' }],
        },
        {
          ...{ title: 'How many events were given up or dropped?', unit: 'ops' },
          queries: [
            { expr: orNone(rate('callmesh_events_refused_total')), legend: 'given up' },
            { expr: orNone(rate('callmesh_nats_dropped_total')), legend: 'dropped while NATS was away' },
          ],
        },
      ],
    },
  ],
};
