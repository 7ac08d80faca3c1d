import type { Decided } from '@callmesh/proto/policy';
import type { Binding } from '@callmesh/proto/session';
import type { NodeState } from '@callmesh/proto/state';
import { roleName } from '@callmesh/runtime';
import { maskedText } from '../../domain/console/mask.ts';

/** A row of the node table as the page takes it. */
export function nodeView({ node, status, reason, since, load, loadAt, desired, evidence }: NodeState) {
  return {
    id: node!.id,
    role: roleName(node!.role),
    group: node!.group,
    zone: node!.zone,
    sip: node!.sipUri,
    epoch: node!.epoch,
    version: node!.version,
    status: wordOf(status, 'NODE_STATUS_'),
    desired: wordOf(desired, 'DESIRED_STATE_'),
    reason,
    since: since?.toISOString(),
    sessions: load?.sessions ?? 0,
    max: load?.maxSessions || node!.maxSessions,
    cps: load?.sessionsPerSecond ?? 0,
    idleCpu: load?.idleCpu ?? 0,
    loadAt: loadAt?.toISOString(),
    evidence: evidence.map((one) => ({ ...one, since: one.since?.toISOString() })),
  };
}

/** A decision as the page takes it. Nothing in it names a person. */
export function decisionView(one: Decided) {
  return { ...one, at: one.at?.toISOString(), reason: maskedText(one.reason) };
}

/** A session that lives on a node. */
export function bindingView({ sessionId, callId, tenantId, groupId, edgeId, createdAt, ...rest }: Binding) {
  return {
    session: sessionId,
    callId,
    tenant: tenantId,
    function: wordOf(rest.function, 'FUNCTION_'),
    group: groupId,
    edge: edgeId,
    since: createdAt?.toISOString(),
  };
}

/** "" of what is not set. */
function wordOf(value: string, prefix: string): string {
  if (value === `${prefix}UNSPECIFIED`) return '';
  return value.replace(prefix, '').toLowerCase().replaceAll('_', '-');
}
