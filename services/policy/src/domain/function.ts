import type { Dialled } from './dialled.ts';
import { type Directory, PLATFORM } from './directory.ts';
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
  called: Dialled,
  directory: Directory,
  role: Role,
): Purpose {
  const affinityKey = request.hint.affinityKey || affinityOf(called);
  const { tenant } = owner;
  const linked = (fn: FunctionName) => hasLink(directory, tenant, fn, role);
  const [asked, why] = decide(request, owner, called, linked);
  if (asked !== 'general' || request.hint.function === 'general')
    return { function: asked, affinityKey, why };
  // All who share a conversation must fall on the same side.
  const key = affinityKey || request.callId;
  // Without a gray group anywhere there is nothing to try out: the session stays general.
  if (isCanary(tenant, key) && linked('gray'))
    return { function: 'gray', affinityKey, why: `canary: ${tenant.canaryPercent} % of ${tenant.id}` };
  return { function: 'general', affinityKey, why };
}

function decide(
  request: RouteRequest,
  owner: Owner,
  { did, agent, room }: Dialled,
  linked: (fn: FunctionName) => boolean,
): [FunctionName, string] {
  if (request.hint.function) return [request.hint.function, `asked for by ${request.edge}`];
  // What nobody has asked for by name needs no group of its own.
  if (room !== undefined && (did || linked('conference'))) return ['conference', `conference room ${room}`];
  if (did) return [did.function ?? 'general', 'called number'];
  if (owner.trunk?.function) return [owner.trunk.function, `trunk ${owner.trunk.id}`];
  if (owner.agent && agent && linked('internal')) return ['internal', 'agent to agent'];
  return ['general', 'no other function'];
}

function affinityOf({ did, room }: Dialled): string {
  if (room !== undefined) return `conference:${room}`;
  return did?.destinationKind === 'control' && did.destination.startsWith(QUEUE) ? did.destination : '';
}

/** Stable per Call-ID: a re-sent INVITE, or one asked about at another instance, falls on the same side. */
function isCanary(tenant: Tenant, key: string): boolean {
  return tenant.canaryPercent > 0 && hash32(`canary ${tenant.id} ${key}`) % 100 < tenant.canaryPercent;
}

function hasLink(directory: Directory, tenant: Tenant, fn: FunctionName, role: Role): boolean {
  return (directory.link(tenant.id, fn, role) ?? directory.link(PLATFORM, fn, role)) !== undefined;
}
