import {
  type Dialled,
  type ResolveDestinationRequest,
  type ResolveDestinationResponse,
  ResolvedKind,
} from '@callmesh/proto/policy';
import type { Dial } from '@callmesh/proto/program';
import { fail, toCallmeshError } from '@callmesh/runtime';
import type { Logger } from 'pino';
import { functionTo } from '../adapters/proto.ts';
import type { Asked } from '../domain/destination/meaning.ts';
import {
  agentsOf,
  type Resolved,
  type ResolveRequest,
  resolve,
  understandRequest,
} from '../domain/destination/resolve.ts';
import type { Agent, Contact } from '../domain/model.ts';
import type { Mesh } from '../mesh.ts';
import type { RoutingMetrics } from './metrics.ts';

const RING_S = 30;
const MOST_RING_S = 300;
const MOST_DIALLED = 256;

export interface DestinationPorts {
  /** An agent's live contacts, newest first; rejects when nobody can say. */
  contacts(agentId: string): Promise<readonly Contact[]>;
  readonly metrics: RoutingMetrics;
  readonly log: Logger;
}

/** Says what a destination is and the ways to it, in one log line, which names no number. */
export function destinationResolver(mesh: Mesh, ports: DestinationPorts) {
  return async (message: ResolveDestinationRequest): Promise<ResolveDestinationResponse> => {
    const started = performance.now();
    const record = (outcome: string, fields: Record<string, unknown>) => {
      const ms = performance.now() - started;
      ports.metrics.answered('destination', outcome, ms);
      ports.log.info(
        { tenant: message.tenantId, ...fields, ms: Math.round(ms * 1000) / 1000 },
        'destination',
      );
    };
    try {
      const resolved = await find(mesh, requestFrom(message), ports);
      record('ok', { kind: resolved.meaning.kind, reason: resolved.reason });
      return responseFrom(resolved);
    } catch (error) {
      const { code, message: reason } = toCallmeshError(error);
      record(code, { code, reason });
      throw error;
    }
  };
}

async function find(mesh: Mesh, request: ResolveRequest, ports: DestinationPorts): Promise<Resolved> {
  if (!mesh.known) throw fail('unavailable', 'tenants and nodes are not known yet', { retryAfterS: 1 });
  const understood = understandRequest(request, mesh);
  const registeredAt = await routersOf(agentsOf(understood.meaning), ports);
  return resolve(request, understood, registeredAt, mesh, Date.now(), Math.random);
}

/** Routers by agent; whoever cannot be asked about is looked for at any router. */
async function routersOf(
  agents: readonly Agent[],
  { contacts, log }: DestinationPorts,
): Promise<Map<string, readonly string[]>> {
  const entries = await Promise.all(
    agents.map(async ({ id }): Promise<[string, readonly string[]]> => {
      try {
        return [id, (await contacts(id)).map(({ routerId }) => routerId)];
      } catch (error) {
        log.debug({ reason: toCallmeshError(error).message }, 'registrations not known');
        return [id, []];
      }
    }),
  );
  return new Map(entries);
}

function requestFrom(message: ResolveDestinationRequest): ResolveRequest {
  const { tenantId, caller, callerAgent, timeoutS } = message;
  if (timeoutS > MOST_RING_S)
    throw fail('invalid_argument', `expected 0-${MOST_RING_S} seconds`, { field: 'timeout_s' });
  return { tenantId, asked: askedFrom(message.dialled), caller, callerAgent, timeoutS: timeoutS || RING_S };
}

function askedFrom(dialled: Dialled | undefined): Asked {
  const target = dialled?.target;
  if (!target || target.value === '' || target.value.length > MOST_DIALLED)
    throw fail('invalid_argument', `expected a destination of 1-${MOST_DIALLED} characters`, {
      field: 'dialled',
    });
  return { as: target.$case, value: target.value };
}

const KINDS: Record<Resolved['meaning']['kind'], ResolvedKind> = {
  agent: ResolvedKind.RESOLVED_KIND_AGENT,
  'ring-group': ResolvedKind.RESOLVED_KIND_RING_GROUP,
  conference: ResolvedKind.RESOLVED_KIND_CONFERENCE,
  announcement: ResolvedKind.RESOLVED_KIND_ANNOUNCEMENT,
  voicemail: ResolvedKind.RESOLVED_KIND_VOICEMAIL,
  external: ResolvedKind.RESOLVED_KIND_EXTERNAL,
  trunk: ResolvedKind.RESOLVED_KIND_EXTERNAL,
  control: ResolvedKind.RESOLVED_KIND_CONTROL,
  'own-voicemail': ResolvedKind.RESOLVED_KIND_OWN_VOICEMAIL,
  echo: ResolvedKind.RESOLVED_KIND_ECHO,
};

function responseFrom(resolved: Resolved): ResolveDestinationResponse {
  const { meaning } = resolved;
  return {
    kind: KINDS[meaning.kind],
    dial: dialFrom(resolved),
    room: meaning.kind === 'conference' ? meaning.room : '',
    announcement: meaning.kind === 'announcement' ? { source: meaning.source, loops: 0 } : undefined,
    mailbox: resolved.mailbox,
    function: functionTo(resolved.function),
    reason: resolved.reason,
  };
}

function dialFrom({ dial, timeoutS }: Resolved): Dial | undefined {
  if (!dial) return undefined;
  const { callerNumber, callerName, anonymous } = dial;
  const groups = dial.groups.map(({ legs }) => ({
    timeoutS,
    legs: legs.map(({ agentId, trunkId, hops }) => ({
      agentId,
      trunkId,
      hops: hops.map(({ uri, node }) => ({ uri, nextHop: node.sipUri, nodeId: node.id })),
    })),
  }));
  return { groups, callerNumber, callerName, anonymous, continueOn: [], parkAfter: false };
}
