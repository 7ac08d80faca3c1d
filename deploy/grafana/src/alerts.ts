/** Wakes somebody, or waits for the morning. */
type Severity = 'page' | 'ticket';

export interface Alert {
  readonly name: string;
  readonly expr: string;
  /** How long it must be so, as Prometheus writes it. */
  readonly for: string;
  readonly severity: Severity;
  /** One sentence; `{{ $labels.x }}` is filled in. */
  readonly summary: string;
}

/** Where the runbooks are; the anchor is the alert's name. */
const RUNBOOKS = 'https://github.com/callmesh/callmesh/blob/main/docs/operations.md';

const edge = (counter: string) => `sum by (instance) (rate(${counter}[5m]))`;

/** What is worth telling somebody. Each has a runbook in docs/operations.md. */
export const alerts: readonly Alert[] = [
  {
    name: 'CallmeshNodeDown',
    expr: 'max by (node, role, group) (callmesh_node_status{status="down"}) == 1',
    for: '10s',
    severity: 'page',
    summary: 'Node {{ $labels.node }} ({{ $labels.role }}) is down',
  },
  {
    name: 'CallmeshNodeSuspect',
    expr: 'max by (node, role, group) (callmesh_node_status{status="suspect"}) == 1',
    for: '2m',
    severity: 'ticket',
    summary: 'Node {{ $labels.node }} has been suspect for two minutes and gets no new calls',
  },
  {
    name: 'CallmeshNodeFlapping',
    expr: 'max by (node) (increase(callmesh_node_changes_total{status="down"}[30m])) > 2',
    for: '0s',
    severity: 'ticket',
    summary: 'Node {{ $labels.node }} went down more than twice in half an hour',
  },
  {
    name: 'CallmeshNoNodeLeft',
    expr:
      'max by (group) (callmesh_node_status{group!=""}) unless on (group)' +
      ' max by (group) (callmesh_node_status{group!="", status="up"})',
    for: '10s',
    severity: 'page',
    summary: 'Group {{ $labels.group }} has no node that is up: its calls are refused',
  },
  {
    name: 'CallmeshGroupFull',
    expr:
      'sum by (group) (freeswitch_current_sessions and freeswitch_max_sessions > 0)' +
      ' / sum by (group) (freeswitch_max_sessions > 0) > 0.9',
    for: '5m',
    severity: 'page',
    summary: 'Group {{ $labels.group }} is {{ $value | humanizePercentage }} full',
  },
  {
    name: 'CallmeshPolicyFallback',
    expr: `${edge('kamailio_callmesh_fallback_total')} > 0`,
    for: '1m',
    severity: 'page',
    summary: 'Door {{ $labels.instance }} decides without policy',
  },
  {
    name: 'CallmeshPolicySlow',
    expr: 'histogram_quantile(0.99, sum by (le) (rate(callmesh_policy_answer_duration_seconds_bucket[5m]))) > 0.1',
    for: '5m',
    severity: 'ticket',
    summary: 'One decision in a hundred takes longer than 100 ms ({{ $value | humanizeDuration }})',
  },
  {
    name: 'CallmeshDegraded',
    expr: 'max by (service_name, service_instance_id, source) (callmesh_degraded) == 1',
    for: '1m',
    severity: 'page',
    summary:
      '{{ $labels.service_instance_id }} answers from last known state: {{ $labels.source }} is silent',
  },
  {
    name: 'CallmeshServiceGone',
    expr:
      'count by (service_name) (last_over_time(process_start_time_seconds[15m]))' +
      ' > count by (service_name) (process_start_time_seconds)' +
      ' or count by (service_name) (last_over_time(process_start_time_seconds[15m]))' +
      ' unless count by (service_name) (process_start_time_seconds)',
    for: '1m',
    severity: 'ticket',
    summary: 'Instances of {{ $labels.service_name }} that were there a quarter of an hour ago are gone',
  },
  {
    name: 'CallmeshAnswerRatioLow',
    expr:
      'sum(rate(callmesh_legs_total{role="media", direction="inbound", outcome="answered"}[10m]))' +
      ' / sum(rate(callmesh_legs_total{role="media", direction="inbound"}[10m])) < 0.3' +
      ' and sum(increase(callmesh_legs_total{role="media", direction="inbound"}[10m])) > 50',
    for: '5m',
    severity: 'page',
    summary: 'Only {{ $value | humanizePercentage }} of calls are answered',
  },
  {
    name: 'CallmeshCallsFail',
    expr:
      'sum by (node) (rate(callmesh_legs_total{outcome="failed"}[5m]))' +
      ' / sum by (node) (rate(callmesh_legs_total[5m])) > 0.1' +
      ' and sum by (node) (increase(callmesh_legs_total[5m])) > 20',
    for: '5m',
    severity: 'page',
    summary: '{{ $value | humanizePercentage }} of the legs of {{ $labels.node }} fail',
  },
  {
    name: 'CallmeshMediaPoor',
    expr:
      'sum by (node) (rate(callmesh_media_mos_sum[15m])) / sum by (node) (rate(callmesh_media_mos_count[15m])) < 3.5' +
      ' and sum by (node) (increase(callmesh_media_mos_count[15m])) > 20',
    for: '10m',
    severity: 'ticket',
    summary: 'Calls of {{ $labels.node }} sound poor: mean opinion score {{ $value | humanize }}',
  },
  {
    name: 'CallmeshTenantAtLimit',
    expr: 'max by (tenant) (callmesh_tenant_sessions) / (max by (tenant) (callmesh_tenant_max_sessions) > 0) >= 0.95',
    for: '5m',
    severity: 'ticket',
    summary: 'Tenant {{ $labels.tenant }} uses {{ $value | humanizePercentage }} of its calls',
  },
  {
    name: 'CallmeshRelayFails',
    expr: `${edge('kamailio_callmesh_media_failures_total')} > 0.1`,
    for: '1m',
    severity: 'page',
    summary: 'A relay does not do what {{ $labels.instance }} asks of it',
  },
  {
    name: 'CallmeshRelayFull',
    expr: 'sum by (instance) (rtpengine_ports_used) / sum by (instance) (rtpengine_ports) > 0.85',
    for: '5m',
    severity: 'ticket',
    summary: 'Relay {{ $labels.instance }} uses {{ $value | humanizePercentage }} of its ports',
  },
  {
    name: 'CallmeshDoorMemory',
    expr: 'kamailio_shmem_real_used_size / kamailio_shmem_total_size > 0.85',
    for: '5m',
    severity: 'ticket',
    summary: 'Door {{ $labels.instance }} uses {{ $value | humanizePercentage }} of its shared memory',
  },
  {
    name: 'CallmeshDoorAttacked',
    expr: `${edge('kamailio_callmesh_dropped_total')} > 50`,
    for: '5m',
    severity: 'ticket',
    summary: 'Door {{ $labels.instance }} drops {{ $value | humanize }} messages a second',
  },
  {
    name: 'CallmeshRecordsLate',
    expr: 'sum(rate(callmesh_legs_total[10m])) > 0 unless sum(rate(callmesh_records_stored_total{kind="legs"}[10m])) > 0',
    for: '10m',
    severity: 'ticket',
    summary: 'Calls end, and no call detail record is written',
  },
  {
    name: 'CallmeshEventsLost',
    expr: 'sum by (durable) (increase(callmesh_events_refused_total[15m])) > 0',
    for: '0s',
    severity: 'ticket',
    summary: 'Consumer {{ $labels.durable }} gave up events it could not handle',
  },
];

/** As Prometheus reads rules, and as the `spec` of a PrometheusRule. */
export function ruleFile(): unknown {
  const rules = alerts.map(({ name, expr, for: duration, severity, summary }) => ({
    alert: name,
    expr,
    for: duration,
    labels: { severity },
    annotations: { summary, runbook_url: `${RUNBOOKS}#${name.toLowerCase()}` },
  }));
  return { groups: [{ name: 'callmesh', rules }] };
}
