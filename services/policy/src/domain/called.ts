import { fail } from '@callmesh/runtime';
import type { Directory } from './directory.ts';
import type { Agent, CalledRule, Did } from './model.ts';
import type { RouteRequest } from './request.ts';
import { hostOf, parseSipUri } from './sip-uri.ts';
import type { Owner } from './tenant.ts';

/** What is called, after the trunk's number rules. */
export interface Called {
  /** User part to send on. */
  readonly user: string;
  readonly did?: Did | undefined;
  readonly agent?: Agent | undefined;
  /** Conference room of the tenant. */
  readonly room?: string | undefined;
}

/**
 * Looks the called number up among what is the tenant's own: another tenant's
 * number is a number like any other outside.
 * Errors: invalid_argument, unknown_number, unknown_agent.
 */
export function findCalled(request: RouteRequest, owner: Owner, directory: Directory): Called {
  const uri = parseSipUri(request.requestUri);
  if (!uri) throw fail('invalid_argument', 'expected a sip, sips or tel URI', { field: 'request_uri' });
  const user = owner.trunk ? rewrite(uri.user, directory.calledRules(owner.trunk.id)) : uri.user;
  if (user === '') throw fail('unknown_number', 'the request names no number', { field: 'request_uri' });
  const tenantId = owner.tenant.id;
  const did = directory.did(user);
  if (did?.tenantId === tenantId)
    return { user, did, room: did.destinationKind === 'conference' ? did.destination : undefined };
  if (directory.isRoom(tenantId, user)) return { user, room: user };
  const agent = directory.agentDialled(tenantId, user);
  if (agent) return { user, agent };
  if (owner.trunk?.kind === 'carrier' && owner.trunk.function === undefined)
    throw fail('unknown_number', 'no number of the tenant', { field: 'request_uri' });
  if (hostOf(request.requestUri) === owner.tenant.domain.toLowerCase() && !looksLikeNumber(user))
    throw fail('unknown_agent', 'no such agent', { field: 'request_uri' });
  return { user };
}

/** The first rule whose digits the number starts with rewrites it. */
function rewrite(number: string, rules: readonly CalledRule[]): string {
  const rule = rules.find(({ match }) => number.startsWith(match));
  return rule ? rule.prepend + number.slice(rule.strip) : number;
}

function looksLikeNumber(user: string): boolean {
  return /^[+*#]?[0-9*#]+$/.test(user);
}
