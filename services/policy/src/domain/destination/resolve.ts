import { fail } from '@callmesh/runtime';
import type { Agent, FunctionName, Random, Tenant } from '../model.ts';
import type { Snapshot } from '../snapshot.ts';
import { type CallingParty, type Dial, dialFor, type RegisteredAt } from './dial.ts';
import { type Asked, type Meaning, type Understood, understand } from './meaning.ts';
import { Ways } from './ways.ts';

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
  return {
    meaning,
    function: meaning.kind === 'conference' ? 'conference' : named,
    dial: dialFor(meaning, caller, { tenant, ways, registeredAt, snapshot, now, random }),
    mailbox: mailboxOf(meaning, caller.agent),
    timeoutS: request.timeoutS,
    reason: `${why}: ${describe(meaning)}`,
  };
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
