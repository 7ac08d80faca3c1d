import type {
  Candidate,
  ExplainNumberRequest,
  ExplainNumberResponse,
  ExplainResponse,
  PolicyServiceServer,
  ResolveDestinationRequest,
  ResolveDestinationResponse,
  RouteSessionRequest,
  RouteSessionResponse,
} from '@callmesh/proto/policy';
import { catalogue, fail, roleOf, toCallmeshError, unaryHandler } from '@callmesh/runtime';
import { functionFrom, functionTo, roleFrom } from '../adapters/proto.ts';
import { decide } from '../domain/decide.ts';
import type { Decision } from '../domain/decision.ts';
import { countOf, limitOf, type NodeRow } from '../domain/node-table.ts';
import type { RouteRequest } from '../domain/request.ts';
import { roleFor } from '../domain/tenant.ts';
import type { Trace } from '../domain/trace.ts';
import type { Mesh } from '../mesh.ts';
import type { SessionRouter } from './session-router.ts';

const MOST_CALL_ID = 256;

export interface PolicyPorts {
  readonly router: Pick<SessionRouter, 'route'>;
  resolveDestination(request: ResolveDestinationRequest): Promise<ResolveDestinationResponse>;
  explainNumber(request: ExplainNumberRequest): ExplainNumberResponse;
}

/** The same decisions over gRPC, for the mesh's own nodes and services, and why they are as they are. */
export function policyService(mesh: Mesh, ports: PolicyPorts): PolicyServiceServer {
  const { router, resolveDestination, explainNumber } = ports;
  return {
    routeSession: unaryHandler(async (message: RouteSessionRequest) => {
      const { decision, sessionId, durable } = await router.route(requestFrom(message));
      return { ...responseFrom(decision), sessionId, durable };
    }),
    explain: unaryHandler(({ request }: { request?: RouteSessionRequest | undefined }) => {
      if (!request) throw fail('invalid_argument', 'expected a request to explain', { field: 'request' });
      return explain(mesh, requestFrom(request));
    }),
    resolveDestination: unaryHandler(resolveDestination),
    explainNumber: unaryHandler(explainNumber),
  };
}

function requestFrom(message: RouteSessionRequest): RouteRequest {
  const { callId, edgeId } = message;
  if (callId === '' || Buffer.byteLength(callId) > MOST_CALL_ID)
    throw fail('invalid_argument', `expected 1-${MOST_CALL_ID} bytes`, { field: 'call_id' });
  return {
    edge: edgeId,
    callId,
    method: message.method || 'INVITE',
    fromUri: message.fromUri,
    toUri: message.toUri,
    requestUri: message.requestUri,
    sourceAddress: message.sourceAddress,
    sourcePort: message.sourcePort,
    transport: message.transport,
    authorization: message.authorization,
    tlsSubject: message.tlsSubject,
    hint: {
      function: functionFrom(message.function),
      affinityKey: message.affinityKey || undefined,
      role: roleFrom(message.role),
      tenantId: message.tenantId || undefined,
      triedNodes: message.triedNodes,
    },
  };
}

function responseFrom(decision: Decision): RouteSessionResponse {
  return {
    sessionId: '',
    tenantId: decision.owner.tenant.id,
    function: functionTo(decision.function),
    groupId: decision.groupId,
    targets: decision.targets.map(({ id, sipUri, epoch }) => ({ nodeId: id, sipUri, epoch })),
    reason: decision.reason,
    rebound: decision.held !== undefined,
    trunkId: decision.owner.trunk?.id ?? '',
    durable: false,
  };
}

/** Decides without counting or binding, and tells what each step saw. */
function explain(mesh: Mesh, request: RouteRequest): ExplainResponse {
  const now = Date.now();
  const candidates = new Map<string, Candidate>();
  const steps: ExplainResponse['steps'] = [];
  const trace: Trace = {
    verbose: true,
    step: (name, outcome) => void steps.push({ name, outcome: outcome() }),
    candidate: (node, refused) => void candidates.set(node.id, candidateFrom(node, refused)),
  };
  const base = {
    steps,
    snapshotAgeMs: mesh.freshness.oldestMs(now),
    role: roleOf(roleFor(request, mesh.nodes)),
  };
  const byId = () => [...candidates.values()].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  try {
    const decision = decide(request, mesh, now, Math.random, trace);
    for (const [index, { id }] of decision.targets.entries()) {
      const candidate = candidates.get(id);
      if (candidate) candidate.rank = index + 1;
    }
    return { ...base, decision: responseFrom(decision), candidates: byId(), refusedCode: '', sipStatus: 0 };
  } catch (error) {
    const { code, message } = toCallmeshError(error);
    if (code === 'internal') throw error;
    steps.push({ name: 'refused', outcome: message });
    return {
      ...base,
      decision: undefined,
      candidates: byId(),
      refusedCode: code,
      sipStatus: catalogue[code].sip,
    };
  }
}

function candidateFrom(node: NodeRow, refused: string): Candidate {
  return {
    nodeId: node.id,
    groupId: node.group,
    status: node.status,
    refused,
    sessions: countOf(node),
    pending: node.load.pending,
    maxSessions: limitOf(node),
    rank: 0,
  };
}
