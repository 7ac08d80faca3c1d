import {
  type CdrServiceServer,
  Disposition,
  type GetSessionRequest,
  type GetSessionResponse,
  type LegRecord,
  type ListLegsRequest,
  type ListLegsResponse,
  type ListSessionsRequest,
  type ListSessionsResponse,
  type SessionRecord,
} from '@callmesh/proto/cdr';
import { NodeRole } from '@callmesh/proto/node';
import { type CallContext, fail, roleOf, unaryHandler } from '@callmesh/runtime';
import type { Reader } from '../adapters/cdr/reader.ts';
import { dispositionOf } from '../domain/cdr/disposition.ts';
import type { Leg } from '../domain/cdr/leg.ts';
import type { Session } from '../domain/cdr/session.ts';
import { checkSessionId } from '../domain/check.ts';
import type { Access } from './access.ts';
import { nextToken, pageOf } from './record-pages.ts';

/** Call detail records for those who may see them. */
export function cdrService(access: Access, reader: Reader): CdrServiceServer {
  async function listSessions(
    request: ListSessionsRequest,
    context: CallContext,
  ): Promise<ListSessionsResponse> {
    access.check(context, request.tenantId, 'cdr');
    const { party } = request;
    const disposition = wanted(request.disposition);
    const page = pageOf('session', request, { party, disposition: disposition ?? '' });
    const sessions = await reader.sessions(page, { party, disposition });
    const [shown, nextPageToken] = nextToken('session', page, sessions);
    return { sessions: shown.map(sessionRecord), nextPageToken };
  }

  async function getSession(request: GetSessionRequest, context: CallContext): Promise<GetSessionResponse> {
    access.check(context, request.tenantId, 'cdr');
    checkSessionId('session_id', request.sessionId);
    const found = await reader.session(request.tenantId, request.sessionId);
    if (!found) throw fail('not_found', `there is no record of session ${request.sessionId}`);
    return { session: sessionRecord(found.session), legs: found.legs.map(legRecord) };
  }

  async function listLegs(request: ListLegsRequest, context: CallContext): Promise<ListLegsResponse> {
    access.check(context, request.tenantId, 'cdr');
    const { nodeId } = request;
    const page = pageOf('leg', request, { node_id: nodeId });
    const legs = await reader.legs(page, { nodeId });
    const [shown, nextPageToken] = nextToken('leg', page, legs);
    return { legs: shown.map(legRecord), nextPageToken };
  }

  return {
    listSessions: unaryHandler(listSessions),
    getSession: unaryHandler(getSession),
    listLegs: unaryHandler(listLegs),
  };
}

function wanted(disposition: Disposition): Disposition | undefined {
  if (disposition === Disposition.UNRECOGNIZED)
    throw fail('invalid_argument', 'disposition: expected a known one', { field: 'disposition' });
  return disposition === Disposition.DISPOSITION_UNSPECIFIED ? undefined : disposition;
}

function sessionRecord({ answeredAt, endedAt, ...session }: Session): SessionRecord {
  const [nodeIds, trunkIds, agentIds] = [session.nodeIds, session.trunkIds, session.agentIds].map((ids) => [
    ...ids,
  ]);
  return {
    ...session,
    answeredAt: answeredAt ?? undefined,
    endedAt: endedAt ?? undefined,
    nodeIds: nodeIds!,
    trunkIds: trunkIds!,
    agentIds: agentIds!,
  };
}

function legRecord(leg: Leg): LegRecord {
  const { progressAt, answeredAt, bridgedAt, endedAt, mos } = leg;
  const { legUuid, sessionId, tenantId, callId, nodeId, nodeEpoch, outbound, caller, callee } = leg;
  return {
    ...{ legUuid, sessionId, tenantId, callId, nodeId, nodeEpoch, outbound, caller, callee },
    agentId: leg.agentId,
    trunkId: leg.trunkId,
    role: leg.role === '' ? NodeRole.NODE_ROLE_UNSPECIFIED : roleOf(leg.role),
    disposition: dispositionOf(leg),
    hangupCause: leg.hangupCause,
    summary: {
      createdAt: leg.startedAt,
      progressAt: progressAt ?? undefined,
      answeredAt: answeredAt ?? undefined,
      bridgedAt: bridgedAt ?? undefined,
      endedAt: endedAt ?? undefined,
      endedBy: leg.endedBy,
      sipStatus: leg.sipStatus,
      q850Cause: leg.q850Cause,
      readCodec: leg.readCodec,
      writeCodec: leg.writeCodec,
      quality: mos === null ? undefined : qualityOf(leg),
      lastBridgeUuid: leg.lastBridgeUuid,
      transferred: leg.transferred,
      farAddress: leg.farAddress,
    },
  };
}

function qualityOf({ mos, qualityPercent, jitterMaxVariance, packets, lost, packetsSent }: Leg) {
  return {
    mos: mos ?? 0,
    qualityPercent: qualityPercent ?? 0,
    jitterMaxVariance: jitterMaxVariance ?? 0,
    packets: packets ?? 0,
    lost: lost ?? 0,
    packetsSent: packetsSent ?? 0,
  };
}
