import type { NodeRow } from '../domain/node-table.ts';
import type { RouteRequest } from '../domain/request.ts';
import { noHint } from '../domain/request.ts';
import { hostOf } from '../domain/sip-uri.ts';
import type { SessionAnswer, SessionRequest } from './schema.ts';
import type { Routed } from './session-router.ts';

/** The HTTP request as the domain knows it; edges give no hints. */
export function requestFrom(body: SessionRequest): RouteRequest {
  return {
    edge: body.edge,
    callId: body.call_id,
    method: body.method,
    fromUri: body.from_uri,
    toUri: body.to_uri,
    requestUri: body.request_uri,
    sourceAddress: body.source_address,
    sourcePort: body.source_port,
    transport: body.transport,
    authorization: body.authorization,
    tlsSubject: body.tls_subject,
    hint: noHint,
  };
}

/** A routed session in the shape that Kamailio's rtjson takes, with what the edge needs beside. */
export function answerFrom({ decision, sessionId, durable }: Routed): SessionAnswer {
  const { owner, targets, calledUser } = decision;
  const common =
    `X-Callmesh-Session: ${sessionId}\r\nX-Callmesh-Tenant: ${owner.tenant.id}\r\n` +
    `X-Callmesh-Function: ${decision.function}\r\n`;
  return {
    version: '1.0',
    routing: 'serial',
    routes: targets.map((node) => ({
      uri: targetUri(calledUser, node),
      dst_uri: node.sipUri,
      headers: { extra: `${common}X-Callmesh-Node: ${node.id}\r\n` },
    })),
    session_id: sessionId,
    tenant: owner.tenant.id,
    trunk: owner.trunk?.id ?? '',
    function: decision.function,
    group: decision.groupId,
    node: targets[0]!.id,
    reason: decision.reason,
    rebound: decision.held !== undefined,
    durable,
    rtpengine: owner.trunk?.mediaAnchor ?? 'auto',
    ...(owner.ha1 !== undefined && { ha1: owner.ha1, realm: owner.realm }),
  };
}

/** The called number at the node; "#" must be escaped in a user part (RFC 3261 section 25.1). */
function targetUri(user: string, node: NodeRow): string {
  const address = node.address || hostOf(node.sipUri);
  return `sip:${user.replaceAll('#', '%23')}@${address}`;
}
