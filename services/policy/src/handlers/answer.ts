import { traceparent } from '@callmesh/runtime';
import type { Decision } from '../domain/decision.ts';
import type { NodeRow } from '../domain/node-table.ts';
import type { Registration } from '../domain/register.ts';
import type { RouteRequest } from '../domain/request.ts';
import { noHint } from '../domain/request.ts';
import { hostOf } from '../domain/sip-uri.ts';
import type { Owner } from '../domain/tenant.ts';
import type { RegisterAnswer, SessionAnswer, SessionRequest } from './schema.ts';
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
    origin: body.origin,
    hint: noHint,
  };
}

/** A routed session in the shape that Kamailio's rtjson takes, with what the edge needs beside. */
export function answerFrom({ decision, sessionId, durable }: Routed): SessionAnswer {
  const { owner, targets, calledUser } = decision;
  const trace = traceparent();
  const common =
    `X-Callmesh-Session: ${sessionId}\r\nX-Callmesh-Tenant: ${owner.tenant.id}\r\n` +
    `X-Callmesh-Function: ${decision.function}\r\n${agentHeader(owner)}${callerHeader(decision)}` +
    (trace && `X-Callmesh-Trace: ${trace}\r\n`);
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
    ...(owner.agent && { agent: owner.agent.id }),
    ...(owner.ha1 !== undefined && { ha1: owner.ha1, realm: owner.realm }),
  };
}

/** A registration's router in the same shape; the Request-URI of a REGISTER is the domain. */
export function registrationFrom(
  { owner, targets, groupId, reason }: Registration,
  expires: number,
): RegisterAnswer {
  const common = `X-Callmesh-Tenant: ${owner.tenant.id}\r\n${agentHeader(owner)}`;
  return {
    version: '1.0',
    routing: 'serial',
    routes: targets.map((node) => ({
      uri: `sip:${owner.tenant.domain}`,
      dst_uri: node.sipUri,
      headers: { extra: `${common}X-Callmesh-Node: ${node.id}\r\n` },
    })),
    tenant: owner.tenant.id,
    agent: owner.agent.id,
    group: groupId,
    node: targets[0]!.id,
    reason,
    expires,
    ha1: owner.ha1 ?? '',
    realm: owner.realm ?? '',
  };
}

/** Who calls or registers, for whoever is behind the door. */
function agentHeader({ agent }: Owner): string {
  return agent ? `X-Callmesh-Agent: ${agent.id}\r\n` : '';
}

/** Who calls in E.164: nodes take it instead of From (RFC 3325), which stays as the trunk wrote it. */
function callerHeader({ callingNumber, owner }: Decision): string {
  const uri = `sip:${callingNumber}@${owner.tenant.domain}`;
  return /^\+?[0-9*]{1,32}$/.test(callingNumber) ? `P-Asserted-Identity: <${uri}>\r\n` : '';
}

/** The called number at the node; "#" must be escaped in a user part (RFC 3261 section 25.1). */
function targetUri(user: string, node: NodeRow): string {
  const address = node.address || hostOf(node.sipUri);
  return `sip:${user.replaceAll('#', '%23')}@${address}`;
}
