/** Series as promtool writes them: "start+step x times", one value a minute. */
type Series = Readonly<Record<string, string>>;

/** What an alert is for: series that make it fire, and what it says then; and series that do not. */
export interface Case {
  readonly series: Series;
  /** When it is looked, as Prometheus writes durations. */
  readonly at: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly summary: string;
  readonly quiet: Series;
}

const status = (name: string, group: string) => (value: string) =>
  `callmesh_node_status{node="fs-1",role="media",group="${group}",status="${name}",service_instance_id="${value}"}`;
const legs = (outcome: string) =>
  `callmesh_legs_total{node="fs-1",role="media",direction="inbound",tenant="t",outcome="${outcome}"}`;

export const cases: Readonly<Record<string, Case>> = {
  CallmeshNodeDown: {
    series: { [status('down', 'red')('state-1')]: '1x10', [status('down', 'red')('state-2')]: '1x10' },
    at: '1m',
    labels: { node: 'fs-1', role: 'media', group: 'red' },
    summary: 'Node fs-1 (media) is down',
    quiet: { [status('drained', 'red')('state-1')]: '1x10' },
  },
  CallmeshNodeSuspect: {
    series: { [status('suspect', 'red')('state-1')]: '1x10' },
    at: '3m',
    labels: { node: 'fs-1', role: 'media', group: 'red' },
    summary: 'Node fs-1 has been suspect for two minutes and gets no new calls',
    quiet: { [status('suspect', 'red')('state-1')]: '1 1 stale' },
  },
  CallmeshNodeFlapping: {
    series: { 'callmesh_node_changes_total{node="fs-1",status="down"}': '0+1x30' },
    at: '10m',
    labels: { node: 'fs-1' },
    summary: 'Node fs-1 went down more than twice in half an hour',
    quiet: { 'callmesh_node_changes_total{node="fs-1",status="down"}': '0 1 1 1 1 1 1 1 1 1 1' },
  },
  CallmeshNoNodeLeft: {
    series: { [status('draining', 'red')('state-1')]: '1x10', [status('up', 'blue')('state-1')]: '1x10' },
    at: '1m',
    labels: { group: 'red' },
    summary: 'Group red has no node that is up: its calls are refused',
    quiet: { [status('down', 'red')('state-1')]: '1x10', [status('up', 'red')('state-1')]: '1x10' },
  },
  CallmeshGroupFull: {
    series: {
      'freeswitch_current_sessions{node="fs-1",group="red"}': '95x10',
      'freeswitch_max_sessions{node="fs-1",group="red"}': '100x10',
    },
    at: '6m',
    labels: { group: 'red' },
    summary: 'Group red is 95% full',
    quiet: {
      'freeswitch_current_sessions{node="fs-1",group="red"}': '9500x10',
      'freeswitch_max_sessions{node="fs-1",group="red"}': '0x10',
    },
  },
  CallmeshPolicyFallback: {
    series: { 'kamailio_callmesh_fallback_total{instance="door"}': '0+6x10' },
    at: '5m',
    labels: { instance: 'door' },
    summary: 'Door door decides without policy',
    quiet: { 'kamailio_callmesh_fallback_total{instance="door"}': '7x10' },
  },
  CallmeshPolicySlow: {
    series: {
      'callmesh_policy_answer_duration_seconds_bucket{le="0.1"}': '0+10x15',
      'callmesh_policy_answer_duration_seconds_bucket{le="0.25"}': '0+20x15',
      'callmesh_policy_answer_duration_seconds_bucket{le="+Inf"}': '0+20x15',
    },
    at: '12m',
    labels: {},
    summary: 'One decision in a hundred takes longer than 100 ms (247ms)',
    quiet: {
      'callmesh_policy_answer_duration_seconds_bucket{le="0.1"}': '0+20x15',
      'callmesh_policy_answer_duration_seconds_bucket{le="+Inf"}': '0+20x15',
    },
  },
  CallmeshDegraded: {
    series: {
      'callmesh_degraded{service_name="callmesh-policy",service_instance_id="policy-1",source="nats"}':
        '1x10',
    },
    at: '2m',
    labels: { service_name: 'callmesh-policy', service_instance_id: 'policy-1', source: 'nats' },
    summary: 'policy-1 answers from last known state: nats is silent',
    quiet: {
      'callmesh_degraded{service_name="callmesh-policy",service_instance_id="policy-1",source="nats"}':
        '0x10',
    },
  },
  CallmeshServiceGone: {
    series: {
      'process_start_time_seconds{service_name="callmesh-state",service_instance_id="state-1"}': '7x20',
      'process_start_time_seconds{service_name="callmesh-state",service_instance_id="state-2"}': '7 stale',
    },
    at: '3m',
    labels: { service_name: 'callmesh-state' },
    summary: 'Instances of callmesh-state that were there a quarter of an hour ago are gone',
    quiet: {
      'process_start_time_seconds{service_name="callmesh-state",service_instance_id="state-1"}': '7x20',
    },
  },
  CallmeshAnswerRatioLow: {
    series: { [legs('answered')]: '0+10x30', [legs('failed')]: '0+90x30' },
    at: '20m',
    labels: {},
    summary: 'Only 10% of calls are answered',
    quiet: { [legs('answered')]: '0+90x30', [legs('failed')]: '0+10x30' },
  },
  CallmeshCallsFail: {
    series: { [legs('answered')]: '0+50x30', [legs('failed')]: '0+50x30' },
    at: '20m',
    labels: { node: 'fs-1' },
    summary: '50% of the legs of fs-1 fail',
    quiet: { [legs('answered')]: '0+1x30', [legs('failed')]: '0+1x30' },
  },
  CallmeshMediaPoor: {
    series: {
      'callmesh_media_mos_sum{node="fs-1"}': '0+300x40',
      'callmesh_media_mos_count{node="fs-1"}': '0+100x40',
    },
    at: '30m',
    labels: { node: 'fs-1' },
    summary: 'Calls of fs-1 sound poor: mean opinion score 3',
    quiet: {
      'callmesh_media_mos_sum{node="fs-1"}': '0+430x40',
      'callmesh_media_mos_count{node="fs-1"}': '0+100x40',
    },
  },
  CallmeshTenantAtLimit: {
    series: {
      'callmesh_tenant_sessions{tenant="acme",service_instance_id="policy-1"}': '96x10',
      'callmesh_tenant_max_sessions{tenant="acme",service_instance_id="policy-1"}': '100x10',
    },
    at: '6m',
    labels: { tenant: 'acme' },
    summary: 'Tenant acme uses 96% of its calls',
    quiet: {
      'callmesh_tenant_sessions{tenant="acme",service_instance_id="policy-1"}': '96x10',
      'callmesh_tenant_max_sessions{tenant="acme",service_instance_id="policy-1"}': '0x10',
    },
  },
  CallmeshRelayFails: {
    series: { 'kamailio_callmesh_media_failures_total{instance="door"}': '0+60x10' },
    at: '5m',
    labels: { instance: 'door' },
    summary: 'A relay does not do what door asks of it',
    quiet: { 'kamailio_callmesh_media_failures_total{instance="door"}': '0+1x10' },
  },
  CallmeshRelayFull: {
    series: { 'rtpengine_ports_used{instance="r"}': '90x10', 'rtpengine_ports{instance="r"}': '100x10' },
    at: '6m',
    labels: { instance: 'r' },
    summary: 'Relay r uses 90% of its ports',
    quiet: { 'rtpengine_ports_used{instance="r"}': '50x10', 'rtpengine_ports{instance="r"}': '100x10' },
  },
  CallmeshDoorMemory: {
    series: {
      'kamailio_shmem_real_used_size{instance="door"}': '90x10',
      'kamailio_shmem_total_size{instance="door"}': '100x10',
    },
    at: '6m',
    labels: { instance: 'door' },
    summary: 'Door door uses 90% of its shared memory',
    quiet: {
      'kamailio_shmem_real_used_size{instance="door"}': '10x10',
      'kamailio_shmem_total_size{instance="door"}': '100x10',
    },
  },
  CallmeshDoorAttacked: {
    series: { 'kamailio_callmesh_dropped_total{instance="door",reason="flood"}': '0+6000x15' },
    at: '12m',
    labels: { instance: 'door' },
    summary: 'Door door drops 100 messages a second',
    quiet: { 'kamailio_callmesh_dropped_total{instance="door",reason="flood"}': '0+60x15' },
  },
  CallmeshRecordsLate: {
    series: { [legs('answered')]: '0+10x40', 'callmesh_records_stored_total{kind="legs"}': '5x40' },
    at: '30m',
    labels: {},
    summary: 'Calls end, and no call detail record is written',
    quiet: { [legs('answered')]: '0+10x40', 'callmesh_records_stored_total{kind="legs"}': '0+10x40' },
  },
  CallmeshEventsLost: {
    series: { 'callmesh_events_refused_total{durable="cdr"}': '0 1 2 3 4 5' },
    at: '5m',
    labels: { durable: 'cdr' },
    summary: 'Consumer cdr gave up events it could not handle',
    quiet: { 'callmesh_events_refused_total{durable="cdr"}': '5x10' },
  },
};
