import { fail } from '@callmesh/runtime';
import type { Agent, FunctionName, Random, Tenant, Trunk } from '../model.ts';
import { whyNotTrunk } from '../numbers/carriers.ts';
import { toE164 } from '../numbers/e164.ts';
import { planFor, planOutbound, requirePlan } from '../numbers/plan.ts';
import type { Snapshot } from '../snapshot.ts';
import { type Asked, type Meaning, type Understood, understand } from './meaning.ts';
import { type Hop, Ways } from './ways.ts';

/** Somebody asks what a destination is. */
export interface ResolveRequest {
  readonly tenantId: string;
  readonly asked: Asked;
  /** E.164 number or user, as the leg says. */
  readonly caller: string;
  /** Agent that calls; empty when none. */
  readonly callerAgent: string;
  /** Seconds a party may ring. */
  readonly timeoutS: number;
}

export interface Leg {
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
  readonly continueOn: readonly string[];
}

/** What a destination is, and the ways to it. */
export interface Resolved {
  readonly meaning: Meaning;
  readonly function: FunctionName;
  readonly dial: Dial | undefined;
  /** Whose mailbox takes a message; empty when there is none. */
  readonly mailbox: string;
  readonly timeoutS: number;
  readonly reason: string;
}

/** Where agents are registered: ids of routers by agent id, the newest registration first. */
export type RegisteredAt = ReadonlyMap<string, readonly string[]>;

/** What says that an agent does not take the call: whoever has a mailbox is offered it then. */
const NOT_TAKEN: readonly string[] = [
  'NO_ANSWER',
  'NO_USER_RESPONSE',
  'ALLOTTED_TIMEOUT',
  'PROGRESS_TIMEOUT',
  'USER_BUSY',
  'CALL_REJECTED',
  'SUBSCRIBER_ABSENT',
  'USER_NOT_REGISTERED',
  'UNALLOCATED_NUMBER',
  'NORMAL_TEMPORARY_FAILURE',
  'NORMAL_UNSPECIFIED',
  'RECOVERY_ON_TIMER_EXPIRE',
  'DESTINATION_OUT_OF_ORDER',
  'INCOMPATIBLE_DESTINATION',
];

/** First half: what is asked for, so that what only others know can be fetched. Errors: those of understand; tenant_disabled, not_found. */
export function understandRequest(
  request: ResolveRequest,
  { directory }: Snapshot,
): Understood & { tenant: Tenant } {
  const tenant = directory.tenant(request.tenantId);
  if (!tenant) throw fail('not_found', `there is no tenant ${request.tenantId}`, { field: 'tenant_id' });
  if (!tenant.enabled) throw fail('tenant_disabled', `tenant ${tenant.id} is disabled`);
  return { ...understand(request.asked, tenant, directory), tenant };
}

/** Agents a destination rings. */
export function agentsOf(meaning: Meaning): readonly Agent[] {
  if (meaning.kind === 'agent') return [meaning.agent];
  return meaning.kind === 'ring-group' ? meaning.groups.flat() : [];
}

/**
 * Second half: the ways to what was understood. Errors: unknown_agent for a calling
 * agent the tenant does not have, destination_forbidden, limit_calls, trunk_disabled,
 * no_node and unavailable when nothing leads there now.
 */
export function resolve(
  request: ResolveRequest,
  { tenant, meaning, function: fn, why }: Understood & { tenant: Tenant },
  registeredAt: RegisteredAt,
  snapshot: Snapshot,
  now: number,
  random: Random,
): Resolved {
  const caller = callerOf(request, tenant, snapshot);
  const named: FunctionName = fn ?? (agentsOf(meaning).length > 0 && caller.agent ? 'internal' : 'general');
  const ways = new Ways(tenant, named, snapshot, random);
  const dial = dialFor(meaning, caller, { tenant, ways, registeredAt, snapshot, now, random });
  const mailbox = mailboxOf(meaning, caller.agent);
  return {
    meaning,
    function: meaning.kind === 'conference' ? 'conference' : named,
    dial: dial && { ...dial, continueOn: mailbox === '' ? [] : NOT_TAKEN },
    mailbox,
    timeoutS: request.timeoutS,
    reason: `${why}: ${describe(meaning)}`,
  };
}

interface CallingParty {
  readonly number: string;
  readonly agent: Agent | undefined;
  readonly anonymous: boolean;
}

function callerOf(
  { caller, callerAgent }: ResolveRequest,
  tenant: Tenant,
  { directory }: Snapshot,
): CallingParty {
  const agent = callerAgent === '' ? undefined : directory.agentById(callerAgent);
  if (callerAgent !== '' && agent?.tenantId !== tenant.id)
    throw fail('unknown_agent', `tenant ${tenant.id} has no such agent`, { field: 'caller_agent' });
  return { number: caller, agent, anonymous: /^anonymous$/i.test(caller) };
}

interface Context {
  readonly tenant: Tenant;
  readonly ways: Ways;
  readonly registeredAt: RegisteredAt;
  readonly snapshot: Snapshot;
  readonly now: number;
  readonly random: Random;
}

type Call = Omit<Dial, 'continueOn'>;

function dialFor(meaning: Meaning, caller: CallingParty, context: Context): Call | undefined {
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
): Call {
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
function toOutside(number: string, trunk: Trunk | undefined, caller: CallingParty, context: Context): Call {
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
function toPbx(trunk: Trunk, number: string, caller: CallingParty, context: Context): Call {
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

function mailboxOf(meaning: Meaning, caller: Agent | undefined): string {
  if (meaning.kind === 'voicemail') return meaning.agent.id;
  if (meaning.kind === 'agent') return meaning.agent.voicemail ? meaning.agent.id : '';
  if (meaning.kind !== 'own-voicemail') return '';
  if (!caller)
    throw fail('unknown_agent', 'only an agent has a mailbox to listen to', { field: 'caller_agent' });
  return caller.id;
}

/** Names no person: reasons are logged. */
function describe(meaning: Meaning): string {
  if (meaning.kind === 'ring-group')
    return `ring group of ${meaning.groups.map((agents) => agents.length).join(', then ')}`;
  if (meaning.kind === 'conference') return `room ${meaning.room}`;
  return meaning.kind === 'trunk' ? `trunk ${meaning.trunk.id}` : meaning.kind;
}
