import type { LoadReport as LoadReportMessage, Node, NodeRole } from '@callmesh/proto/node';
import { type Binding as BindingMessage, BindingState } from '@callmesh/proto/session';
import type { NodeState } from '@callmesh/proto/state';
import { FunctionMessage } from '@callmesh/proto/tenant';
import { roleNames, roleOf } from '@callmesh/runtime';
import type { Backend, LoadReport } from '../domain/ledger.ts';
import {
  type Binding,
  type EdgeRole,
  type FunctionName,
  functionNames,
  type NodeRecord,
  type NodeStatus,
  type Role,
} from '../domain/model.ts';

/** "FUNCTION_OUTBOUND_BOT" without its prefix is "outbound-bot"; undefined for what is not set or not known here. */
export function shortName(value: string, prefix: string): string | undefined {
  const name = value.slice(prefix.length);
  return name === 'UNSPECIFIED' || value === 'UNRECOGNIZED'
    ? undefined
    : name.toLowerCase().replaceAll('_', '-');
}

const FUNCTIONS = new Map<string, FunctionName>(functionNames.map((name) => [name, name]));

export function functionFrom(value: FunctionMessage): FunctionName | undefined {
  return FUNCTIONS.get(shortName(value, 'FUNCTION_') ?? '');
}

export function functionTo(name: FunctionName): FunctionMessage {
  return FunctionMessage[
    `FUNCTION_${name.toUpperCase().replaceAll('-', '_')}` as keyof typeof FunctionMessage
  ];
}

const ROLES = new Map<NodeRole, Role | EdgeRole>(roleNames.map((name) => [roleOf(name), name]));

/** Role of a FreeSWITCH node; undefined for edges and what is not set. */
export function roleFrom(value: NodeRole): Role | undefined {
  const role = ROLES.get(value);
  return role === 'kama-wss' || role === 'kama-pstn' ? undefined : role;
}

/** A row of the node table; undefined for one that says too little to be used. */
export function nodeFrom(state: NodeState): NodeRecord | undefined {
  const node: Node | undefined = state.node;
  const role = node && ROLES.get(node.role);
  const status = shortName(state.status, 'NODE_STATUS_') as NodeStatus | undefined;
  if (!node || !role || !status) return undefined;
  const { id, group, sipUri, sipSources, zone, weight, maxSessions, epoch } = node;
  // "<ip>:<port>/<transport>"
  const sources = sipSources.map((source) => source.split('/', 1)[0]!);
  return { id, role, group, sipUri, sources, zone, weight, maxSessions, epoch, status };
}

export function loadFrom(report: LoadReportMessage): LoadReport {
  return {
    nodeId: report.nodeId,
    epoch: report.epoch,
    sessions: report.sessions,
    max: report.maxSessions,
    seq: report.seq,
    startedSessions: report.startedSessions,
    backend: (shortName(report.backend, 'BACKEND_STATE_') as Backend | undefined) ?? 'up',
  };
}

/** A binding of session-cache; undefined for one of a role or function not known here. */
export function bindingFrom(message: BindingMessage): Binding | undefined {
  const role = roleFrom(message.role);
  if (!role) return undefined;
  const { sessionId, tenantId, callId, affinityKey, nodeId, nodeEpoch, groupId, trunkId, edgeId } = message;
  const fn = functionFrom(message.function) ?? 'general';
  return {
    sessionId,
    tenantId,
    callId,
    affinityKey,
    nodeId,
    nodeEpoch,
    role,
    function: fn,
    groupId,
    trunkId,
    edgeId,
  };
}

export function bindingTo(binding: Binding): BindingMessage {
  return {
    ...binding,
    role: roleOf(binding.role),
    function: functionTo(binding.function),
    state: BindingState.BINDING_STATE_BOUND,
    createdAt: undefined,
    revision: 0,
  };
}
