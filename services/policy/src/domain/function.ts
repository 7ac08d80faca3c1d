import type { Called } from './called.ts';
import type { Directory } from './directory.ts';
import { hash32 } from './hash.ts';
import type { FunctionName, Role, Tenant } from './model.ts';
import type { RouteRequest } from './request.ts';
import type { Owner } from './tenant.ts';

/** What a session is for, and with whom it must share a node. */
export interface Purpose {
  readonly function: FunctionName;
  /** Who shares it shares the node; empty: nobody. */
  readonly affinityKey: string;
  /** Why, for a person. */
  readonly why: string;
}

/** Destinations of numbers driven by a platform service may name a queue like this. */
const QUEUE = 'queue:';

/** Step 3, which function: what the mesh itself asks for, then the number, the trunk, the parties. */
export function findPurpose(
  request: RouteRequest,
  owner: Owner,
  called: Called,
  directory: Directory,
  role: Role,
): Purpose {
  const affinityKey = request.hint.affinityKey || affinityOf(called);
  const [asked, why] = decide(request, owner, called);
  if (asked !== 'general' || request.hint.function === 'general')
    return { function: asked, affinityKey, why };
  const { tenant } = owner;
  // All who share a conversation must fall on the same side.
  const key = affinityKey || request.callId;
  if (isCanary(tenant, key) && hasLink(directory, tenant, role))
    return { function: 'gray', affinityKey, why: `canary: ${tenant.canaryPercent} % of ${tenant.id}` };
  return { function: 'general', affinityKey, why };
}

function decide(request: RouteRequest, owner: Owner, called: Called): [FunctionName, string] {
  const { did, agent, room } = called;
  if (request.hint.function) return [request.hint.function, `asked for by ${request.edge}`];
  if (room !== undefined) return ['conference', `conference room ${room}`];
  if (did) return [did.function ?? 'general', 'called number'];
  if (owner.trunk?.function) return [owner.trunk.function, `trunk ${owner.trunk.id}`];
  if (owner.agent && agent) return ['internal', 'agent to agent'];
  return ['general', 'no other function'];
}

function affinityOf({ did, room }: Called): string {
  if (room !== undefined) return `conference:${room}`;
  return did?.destinationKind === 'control' && did.destination.startsWith(QUEUE) ? did.destination : '';
}

/** Stable per Call-ID: a re-sent INVITE, or one asked about at another instance, falls on the same side. */
function isCanary(tenant: Tenant, key: string): boolean {
  return tenant.canaryPercent > 0 && hash32(`canary ${tenant.id} ${key}`) % 100 < tenant.canaryPercent;
}

/** Without a gray group anywhere there is nothing to try out: the session stays general. */
function hasLink(directory: Directory, tenant: Tenant, role: Role): boolean {
  return (directory.link(tenant.id, 'gray', role) ?? directory.link('*', 'gray', role)) !== undefined;
}
