import { fail } from '@callmesh/runtime';
import { type Dialled, isOutside } from './dialled.ts';
import { requireDestination } from './numbers/destinations.ts';
import type { Snapshot } from './snapshot.ts';
import type { Owner } from './tenant.ts';

/** A second is the window of the rate, so after one it may pass. */
const RETRY_RATE_S = 1;
/** Calls end when they end; this only spreads the next attempts. */
const RETRY_CALLS_S = 5;

/**
 * Step 2, may it call: tenant, trunk and agent switched on, destination allowed,
 * limits not reached. A session that lives already is not counted again.
 * Errors: tenant_disabled, trunk_disabled, agent_disabled, destination_forbidden,
 * limit_calls, limit_cps (the last two with seconds to wait).
 */
export function admit(
  owner: Owner,
  called: Dialled,
  lives: boolean,
  { usage, premiumPrefixes }: Pick<Snapshot, 'usage' | 'premiumPrefixes'>,
  now: number,
): void {
  requireEnabled(owner, called);
  const { tenant, trunk } = owner;
  // Own numbers, agents and rooms may always be called.
  if (isOutside(called)) requireDestination(tenant, called.user, premiumPrefixes);
  if (lives) return;
  if (usage.isCurrent(now)) {
    limitCalls(`tenant ${tenant.id}`, usage.callsOfTenant(tenant.id), tenant.maxCalls);
    if (trunk) limitCalls(`trunk ${trunk.id}`, usage.callsOfTrunk(trunk.id), trunk.maxChannels);
  }
  if (tenant.maxCps > 0)
    limitRate(`tenant ${tenant.id}`, usage.startsOfTenant(tenant.id, now), tenant.maxCps);
  if (trunk && trunk.maxCps > 0)
    limitRate(`trunk ${trunk.id}`, usage.startsOfTrunk(trunk.id, now), trunk.maxCps);
}

function requireEnabled({ tenant, trunk, agent }: Owner, called: Dialled): void {
  if (!tenant.enabled) throw fail('tenant_disabled', `tenant ${tenant.id} is disabled`);
  if (trunk && !trunk.enabled) throw fail('trunk_disabled', `trunk ${trunk.id} is disabled`);
  if (agent && !agent.enabled) throw fail('agent_disabled', 'the calling agent is disabled');
  if (called.agent && !called.agent.enabled) throw fail('agent_disabled', 'the called agent is disabled');
}

function limitCalls(who: string, calls: number, limit: number): void {
  if (limit > 0 && calls >= limit)
    throw fail('limit_calls', `${who} has ${calls} of ${limit} calls`, { retryAfterS: RETRY_CALLS_S });
}

function limitRate(who: string, starts: number, limit: number): void {
  if (starts >= limit)
    throw fail('limit_cps', `${who} started ${starts} of ${limit} calls this second`, {
      retryAfterS: RETRY_RATE_S,
    });
}
