import type { FunctionName, Role } from './model.ts';

/** A new INVITE or REGISTER, as an edge or a node saw it. */
export interface RouteRequest {
  /** Id of the Kamailio edge or FreeSWITCH node that asks. */
  readonly edge: string;
  readonly callId: string;
  readonly method: string;
  readonly fromUri: string;
  readonly toUri: string;
  readonly requestUri: string;
  readonly sourceAddress: string;
  readonly sourcePort: number;
  readonly transport: string;
  /** Value of Authorization or Proxy-Authorization; empty when none. */
  readonly authorization: string;
  /** Subject alternative name of the verified client certificate; empty when none. */
  readonly tlsSubject: string;
  /** Origin of the page a WebSocket was opened from; none elsewhere. */
  readonly origin?: string | undefined;
  /** What only callers inside the mesh may ask for; edges never set it. */
  readonly hint: RouteHint;
}

export interface RouteHint {
  readonly function?: FunctionName | undefined;
  readonly affinityKey?: string | undefined;
  readonly role?: Role | undefined;
  /** Tenant named by a service or node of the mesh that places or passes on a call for it. */
  readonly tenantId?: string | undefined;
  /** Trunk a node of the mesh has found the call to come by. */
  readonly trunkId?: string | undefined;
  /** Agent of that tenant an edge has found the call to come from. */
  readonly agentId?: string | undefined;
  /** Nodes already tried for this session. */
  readonly triedNodes: readonly string[];
}

export const noHint: RouteHint = { triedNodes: [] };
