import { fail } from '@callmesh/runtime';
import { admit } from './admission.ts';
import { heldByAffinity, heldByCallId } from './binding.ts';
import { callingNumber, findCalled } from './called.ts';
import { choose } from './choose.ts';
import { besideDecision, type Decision, heldDecision } from './decision.ts';
import { findPurpose } from './function.ts';
import { findGroup } from './group.ts';
import type { Random } from './model.ts';
import { findNodes } from './nodes.ts';
import type { RouteRequest } from './request.ts';
import type { Snapshot } from './snapshot.ts';
import { strategyNamed } from './strategies/registry.ts';
import { findOwner, roleFor } from './tenant.ts';
import { silent, type Trace } from './trace.ts';

/** Nodes come back, finish calls or are added within moments. */
const RETRY_NO_NODE_S = 2;

/**
 * Decides where a new session goes. Pure: the same arguments give the same answer.
 * Errors are the refusals of its steps: whose (unknown_trunk, unknown_number,
 * unknown_agent, unauthenticated, challenge, invalid_argument), admission
 * (tenant_disabled, trunk_disabled, agent_disabled, destination_forbidden,
 * limit_calls, limit_cps) and nodes (no_node).
 */
export function decide(
  request: RouteRequest,
  snapshot: Snapshot,
  now: number,
  random: Random,
  trace: Trace = silent,
): Decision {
  const { directory, nodes, bindings, usage, agents, turns } = snapshot;
  const { triedNodes } = request.hint;
  const role = roleFor(request, nodes);

  // 1. whose is it
  const owner = findOwner(request, directory, nodes);
  const tenantId = owner.tenant.id;
  const called = findCalled(request, owner, directory);
  trace.step('tenant', () => `${tenantId}, by ${owner.by}`);

  // 2. may it call
  const resent = heldByCallId(tenantId, role, request.callId, triedNodes, bindings, nodes);
  admit(owner, called, resent !== undefined, snapshot, now);
  trace.step('admission', () => (resent ? 'lives already' : `${usage.callsOfTenant(tenantId)} calls live`));

  // 3. which function
  const purpose = findPurpose(request, owner, called, directory, role);
  trace.step('function', () => `${purpose.function}: ${purpose.why}`);

  // 4. which group: a session that lives stays in the one it was bound in, what an agent calls beside a call in that one's
  const held = resent ?? heldByAffinity(tenantId, role, purpose.affinityKey, triedNodes, bindings, nodes);
  const calls = owner.agent && role === 'media' && !held && purpose.affinityKey === '';
  const beside = calls ? agents.nodeOf(owner.agent.id, triedNodes, nodes) : undefined;
  const livesIn = held?.binding.groupId ?? beside?.group;
  const group = livesIn
    ? (directory.group(livesIn) ?? { id: livesIn, strategy: '' })
    : findGroup(owner.tenant, purpose.function, role, directory);
  trace.step('group', () => group.id);

  // 5. which nodes
  const eligible = findNodes(role, group.id, triedNodes, nodes, trace);
  trace.step('nodes', () => `${eligible.length} of ${nodes.inGroup(role, group.id).length} can take it`);
  if (eligible.length === 0 && !held)
    throw fail('no_node', `no node of group ${group.id} can take the session`, {
      retryAfterS: RETRY_NO_NODE_S,
    });

  // 6. which one
  const strategy = strategyNamed(group.strategy);
  const key = `${tenantId} ${purpose.affinityKey || request.callId}`;
  const last = turns.get(group.id);
  const targets = choose(eligible, strategy, key, last, random);
  const reason = targets[0] ? strategy.reason(targets[0], eligible, { key, last, random }) : '';
  trace.step('node', () => reason || 'none needed');

  // 7. what holds already
  const decision: Decision = {
    owner,
    role,
    function: purpose.function,
    groupId: group.id,
    affinityKey: purpose.affinityKey,
    calledUser: called.user,
    callingNumber: callingNumber(request, owner, directory),
    targets,
    strategy: strategy.name,
    reason,
    held: undefined,
  };
  const final = held ? heldDecision(decision, held) : beside ? besideDecision(decision, beside) : decision;
  trace.step('binding', () => (held || beside ? final.reason : 'new'));
  return final;
}
