import { fail } from '@callmesh/runtime';
import { type Dialled, isOutside, lookUp } from './dialled.ts';
import type { Directory } from './directory.ts';
import { fromTrunk } from './numbers/inbound.ts';
import type { RouteRequest } from './request.ts';
import { hostOf, parseSipUri } from './sip-uri.ts';
import type { Owner } from './tenant.ts';

/** A service of the mesh places a session; whom it then calls, it asks about by itself. */
const NOBODY: Dialled = { user: '' };

/**
 * What the Request-URI names, after the trunk's number rules.
 * Errors: invalid_argument, unknown_number, unknown_agent.
 */
export function findCalled(request: RouteRequest, owner: Owner, directory: Directory): Dialled {
  if (request.requestUri === '' && request.hint.tenantId !== undefined) return NOBODY;
  const uri = parseSipUri(request.requestUri);
  if (!uri) throw fail('invalid_argument', 'expected a sip, sips or tel URI', { field: 'request_uri' });
  const said = owner.trunk ? fromTrunk(uri.user, owner.trunk, 'called', directory).number : uri.user;
  if (said === '') throw fail('unknown_number', 'the request names no number', { field: 'request_uri' });
  const called = lookUp(said, owner.tenant.id, directory);
  // Whoever else a carrier could reach, it would reach at the tenant's cost.
  if (owner.trunk?.kind === 'carrier' && !called.did)
    throw fail('unknown_number', 'no number of the tenant', { field: 'request_uri' });
  if (!isOutside(called)) return called;
  if (hostOf(request.requestUri) === owner.tenant.domain.toLowerCase() && !looksLikeNumber(called.user))
    throw fail('unknown_agent', 'no such agent', { field: 'request_uri' });
  return called;
}

/** Who calls, where a rule of the trunk says it in the platform's words; empty: as it is. */
export function callingNumber({ fromUri }: RouteRequest, { trunk }: Owner, directory: Directory): string {
  const said = trunk && parseSipUri(fromUri)?.user;
  if (!said) return '';
  const { number, rule } = fromTrunk(said, trunk, 'calling', directory);
  return rule === '' ? '' : number;
}

function looksLikeNumber(user: string): boolean {
  return /^[+*#]?[0-9*#]+$/.test(user);
}
