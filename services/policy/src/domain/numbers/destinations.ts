import { fail } from '@callmesh/runtime';
import type { Tenant } from '../model.ts';
import { longestPrefix, toE164 } from './e164.ts';

/**
 * Whether a tenant may call an outside number. Of its own allowed and blocked
 * prefixes the longest match decides, blocked on equal length; the platform's
 * premium prefixes are blocked beside, unless the tenant may call them all or has
 * allowed one that is at least as long. Error: destination_forbidden.
 */
export function requireDestination(tenant: Tenant, dialled: string, premium: readonly string[]): void {
  // "0088..." is "+88...": how it is written must not hide where it goes.
  const number = toE164(dialled) ?? dialled;
  const allowed = lengthOf(tenant.allowedDestinations, number);
  const blocked = lengthOf(tenant.blockedDestinations, number);
  if (tenant.allowedDestinations.length > 0 && allowed === 0)
    throw forbidden(tenant, 'is not among its allowed destinations');
  if (blocked > 0 && blocked >= allowed) throw forbidden(tenant, 'is among its blocked destinations');
  if (!tenant.premiumAllowed && lengthOf(premium, number) > allowed)
    throw forbidden(tenant, "is on the platform's list of premium numbers");
}

function lengthOf(prefixes: readonly string[], number: string): number {
  return longestPrefix(prefixes, number)?.length ?? 0;
}

function forbidden({ id }: Tenant, why: string) {
  return fail('destination_forbidden', `tenant ${id} may not call this destination: it ${why}`, {
    field: 'request_uri',
  });
}
