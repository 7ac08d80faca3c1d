import { fail } from '@callmesh/runtime';
import type { Agent, Random, Tenant, Trunk } from '../model.ts';
import { whyNotTrunk } from '../numbers/carriers.ts';
import { toE164 } from '../numbers/e164.ts';
import { planFor, planOutbound, requirePlan } from '../numbers/plan.ts';
import type { Snapshot } from '../snapshot.ts';
import type { Meaning } from './meaning.ts';
import type { Hop, Ways } from './ways.ts';

interface Leg {
  readonly hops: readonly Hop[];
  readonly agentId: string;
  readonly trunkId: string;
}

/** Whom to call: groups one after another, the legs of a group at once. */
export interface Dial {
  readonly groups: readonly { readonly legs: readonly Leg[] }[];
  /** Empty: the calling leg's own. */
  readonly callerNumber: string;
  readonly callerName: string;
  readonly anonymous: boolean;
}

/** Where agents are registered: ids of routers by agent id, the newest registration first. */
export type RegisteredAt = ReadonlyMap<string, readonly string[]>;

/** Who calls. */
export interface CallingParty {
  readonly number: string;
  readonly agent: Agent | undefined;
  readonly anonymous: boolean;
}

/** What finding the ways needs beside whom to find. */
export interface Context {
  readonly tenant: Tenant;
  readonly ways: Ways;
  readonly registeredAt: RegisteredAt;
  readonly snapshot: Snapshot;
  readonly now: number;
  readonly random: Random;
}

/**
 * Whom to call for a destination; undefined for what nobody is called for.
 * Errors: destination_forbidden, limit_calls, trunk_disabled, no_node, unavailable.
 */
export function dialFor(meaning: Meaning, caller: CallingParty, context: Context): Dial | undefined {
  switch (meaning.kind) {
    case 'agent':
      return toAgents([[meaning.agent]], caller, context);
    case 'ring-group':
      return toAgents(meaning.groups, caller, context);
    case 'external':
      return toOutside(meaning.number, undefined, caller, context);
    case 'trunk':
      return meaning.trunk.kind === 'carrier'
        ? toOutside(meaning.number, meaning.trunk, caller, context)
        : toPbx(meaning.trunk, meaning.number, caller, context);
    default:
      return undefined;
  }
}

/** Colleagues see who calls by extension and name; callers from outside show what they showed us. */
function toAgents(
  groups: readonly (readonly Agent[])[],
  { agent: from, anonymous }: CallingParty,
  { ways, registeredAt }: Context,
): Dial {
  return {
    groups: groups.map((agents) => ({
      legs: agents.map((agent) => ({
        hops: ways.toAgent(agent, registeredAt.get(agent.id) ?? []),
        agentId: agent.id,
        trunkId: '',
      })),
    })),
    callerNumber: from ? from.extension || from.username : '',
    callerName: from?.displayName ?? '',
    anonymous,
  };
}

/** The tandem decides once more, with the carriers of that moment; here it is seen whether there is any. */
function toOutside(number: string, trunk: Trunk | undefined, caller: CallingParty, context: Context): Dial {
  const { tenant, ways, snapshot, now, random } = context;
  const presented = outsideNumber(caller, snapshot);
  const call = { tenant, number, trunk, caller: { number: presented, anonymous: caller.anonymous } };
  requirePlan(planOutbound(call, snapshot, now, random));
  const leg = { hops: ways.toCarrier(toE164(number)!), agentId: '', trunkId: trunk?.id ?? '' };
  return { groups: [{ legs: [leg] }], callerNumber: presented, callerName: '', anonymous: caller.anonymous };
}

/** An agent is known outside by the number that leads to it; what else may be shown is the trunk's to say. */
function outsideNumber({ agent, number }: CallingParty, { directory }: Snapshot): string {
  return (agent && directory.numberOfAgent(agent.id)) ?? toE164(number) ?? '';
}

/** The tenant's own PBX sees the caller as it is, in the form it wants. */
function toPbx(trunk: Trunk, number: string, caller: CallingParty, context: Context): Dial {
  const { ways, now, snapshot } = context;
  // It was named, or has this number: what it serves is not asked again.
  const refused = whyNotTrunk({ ...trunk, servedPrefixes: [] }, number, snapshot.usage, now);
  if (refused?.passing) throw fail('limit_calls', `trunk ${trunk.id}: ${refused.why}`, { retryAfterS: 5 });
  if (refused)
    throw fail(trunk.enabled ? 'unavailable' : 'trunk_disabled', `trunk ${trunk.id}: ${refused.why}`);
  const { agent, anonymous } = caller;
  const shown = agent ? agent.extension || agent.username : caller.number;
  const { called, calling } = planFor(trunk, number, { number: shown, anonymous }, snapshot.directory);
  const leg = { hops: ways.toPbx(trunk, called.number), agentId: '', trunkId: trunk.id };
  const callerName = agent?.displayName ?? '';
  return { groups: [{ legs: [leg] }], callerNumber: calling.number, callerName, anonymous };
}
