import { fail } from '@callmesh/runtime';
import type { Called } from './called.ts';
import type { Owner } from './tenant.ts';
import type { Usage } from './usage.ts';

/** A second is the window of the rate, so after one it may pass. */
const RETRY_RATE_S = 1;
/** Calls end when they end; this only spreads the next attempts. */
const RETRY_CALLS_S = 5;
/** After hearing of no ends for this long, counts of live calls only grow and prove nothing. */
const SILENCE_MS = 30_000;

/**
 * Step 2, may it call: tenant, trunk and agent switched on, destination allowed,
 * limits not reached. A session that lives already is not counted again.
 * Errors: tenant_disabled, trunk_disabled, agent_disabled, destination_forbidden,
 * limit_calls, limit_cps (the last two with seconds to wait).
 */
export function admit(owner: Owner, called: Called, lives: boolean, usage: Usage, now: number): void {
  requireEnabled(owner, called);
  requireDestination(owner, called);
  if (lives) return;
  const { tenant, trunk } = owner;
  if (usage.silentSince === undefined || now - usage.silentSince < SILENCE_MS) {
    limitCalls(`tenant ${tenant.id}`, usage.callsOfTenant(tenant.id), tenant.maxCalls);
    if (trunk) limitCalls(`trunk ${trunk.id}`, usage.callsOfTrunk(trunk.id), trunk.maxChannels);
  }
  if (tenant.maxCps > 0)
    limitRate(`tenant ${tenant.id}`, usage.startsOfTenant(tenant.id, now), tenant.maxCps);
  if (trunk && trunk.maxCps > 0)
    limitRate(`trunk ${trunk.id}`, usage.startsOfTrunk(trunk.id, now), trunk.maxCps);
}

function requireEnabled({ tenant, trunk, agent }: Owner, called: Called): void {
  if (!tenant.enabled) throw fail('tenant_disabled', `tenant ${tenant.id} is disabled`);
  if (trunk && !trunk.enabled) throw fail('trunk_disabled', `trunk ${trunk.id} is disabled`);
  if (agent && !agent.enabled) throw fail('agent_disabled', 'the calling agent is disabled');
  if (called.agent && !called.agent.enabled) throw fail('agent_disabled', 'the called agent is disabled');
}

/** Own numbers, agents and rooms may always be called. */
function requireDestination({ tenant }: Owner, { user, did, agent, room }: Called): void {
  if (did || agent || room !== undefined || tenant.allowedDestinations.length === 0) return;
  if (!tenant.allowedDestinations.some((prefix) => user.startsWith(prefix)))
    throw fail('destination_forbidden', `tenant ${tenant.id} may not call this destination`, {
      field: 'request_uri',
    });
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
