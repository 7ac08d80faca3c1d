import { fail } from '@callmesh/runtime';
import type { Directory } from '../directory.ts';
import type { Random, Tenant, Trunk } from '../model.ts';
import type { Snapshot } from '../snapshot.ts';
import { type Caller, type Presented, presentCaller } from './caller.ts';
import { carriersOf, inOrder, whyNotTrunk } from './carriers.ts';
import { requireDestination } from './destinations.ts';
import { toE164 } from './e164.ts';
import { failoverCauses } from './failover.ts';
import { type Rewritten, rewrite } from './rules.ts';

/** A call that wants to leave the platform through a carrier. */
export interface OutboundCall {
  readonly tenant: Tenant;
  /** As dialled: "+49..." or "0049...". */
  readonly number: string;
  readonly caller: Caller;
  /** Only this trunk; undefined: whichever takes it. */
  readonly trunk?: Trunk | undefined;
}

/** What one trunk is given. */
export interface OutboundPlan extends Presented {
  readonly trunk: Trunk;
  readonly called: Rewritten;
  readonly failoverCauses: readonly string[];
}

/** A trunk that is not tried, and why. */
export interface Refused {
  readonly trunk: Trunk;
  readonly why: string;
  /** True when it may take a call in a moment. */
  readonly passing: boolean;
}

export interface OutboundPlans {
  /** In the order they are tried; never empty unless all are in `refused`. */
  readonly plans: readonly OutboundPlan[];
  readonly refused: readonly Refused[];
}

/** Channels come free when calls end; this spreads the next attempts. */
const RETRY_S = 5;

/**
 * Which carriers a call is offered to, and with which numbers.
 * Errors: unknown_number when it is no E.164 number, destination_forbidden.
 */
export function planOutbound(
  call: OutboundCall,
  { directory, usage, premiumPrefixes }: Snapshot,
  now: number,
  random: Random,
): OutboundPlans {
  const number = toE164(call.number);
  if (number === undefined)
    throw fail('unknown_number', 'expected an E.164 number: "+49..." or "0049..."', { field: 'called' });
  requireDestination(call.tenant, number, premiumPrefixes);
  const plans: OutboundPlan[] = [];
  const refused: Refused[] = [];
  for (const trunk of inOrder(call.trunk ? [call.trunk] : carriersOf(call.tenant.id, directory), random)) {
    const reason = whyNotTrunk(trunk, number, usage, now);
    if (reason) {
      refused.push({ trunk, ...reason });
      continue;
    }
    plans.push(planFor(trunk, number, call.caller, directory));
  }
  return { plans, refused };
}

/** What this trunk is given, whether it takes the call or not. */
export function planFor(trunk: Trunk, number: string, caller: Caller, directory: Directory): OutboundPlan {
  return {
    trunk,
    called: rewrite(number, directory.rules(trunk.id, 'outbound', 'called')),
    ...presentCaller(caller, trunk, directory),
    failoverCauses: failoverCauses(trunk),
  };
}

/** The plans, when there is one. Errors: limit_calls when all that could are full, unavailable when none could. */
export function requirePlan({ plans, refused }: OutboundPlans): readonly OutboundPlan[] {
  if (plans.length > 0) return plans;
  const why = refused.map(({ trunk, why }) => `${trunk.id}: ${why}`).join('; ');
  if (refused.some(({ passing }) => passing))
    throw fail('limit_calls', `no carrier has a channel free: ${why}`, { retryAfterS: RETRY_S });
  throw fail(
    'unavailable',
    why === '' ? 'the tenant has no carrier' : `no carrier takes this number: ${why}`,
  );
}
