import { fail } from '@callmesh/runtime';
import { ownerByAgent } from './agent.ts';
import { choose } from './choose.ts';
import { findGroup } from './group.ts';
import type { Agent } from './model.ts';
import type { NodeRow } from './node-table.ts';
import type { RouteRequest } from './request.ts';
import type { Snapshot } from './snapshot.ts';
import { hash } from './strategies/hash.ts';
import type { Owner } from './tenant.ts';

/** Routers come back, or are noticed to have gone, within moments. */
const RETRY_NO_NODE_S = 2;

/** Which router keeps an agent's registration. */
export interface Registration {
  readonly owner: Owner & { readonly agent: Agent };
  readonly groupId: string;
  /** First choice, then alternates; never empty. */
  readonly targets: readonly NodeRow[];
  /** Why the first one, for a person. */
  readonly reason: string;
}

/**
 * Decides which router keeps an agent's registration: always the same one of its
 * tenant's group as long as that one is there, so that a device which registers
 * again finds itself; when it is gone only its own agents move. Pure.
 * Errors: those of ownerByAgent; tenant_disabled, agent_disabled, no_node.
 */
export function decideRegistration(
  request: RouteRequest,
  { directory, nodes }: Pick<Snapshot, 'directory' | 'nodes'>,
): Registration {
  const owner = ownerByAgent(request, directory);
  const { tenant, agent } = owner;
  if (!tenant.enabled) throw fail('tenant_disabled', `tenant ${tenant.id} is disabled`);
  if (!agent.enabled) throw fail('agent_disabled', 'the agent is disabled');
  const group = findGroup(tenant, 'general', 'router', directory);
  const able = ableRouters(nodes.inGroup('router', group.id));
  if (able.length === 0)
    throw fail('no_node', `no router of group ${group.id} can keep a registration`, {
      retryAfterS: RETRY_NO_NODE_S,
    });
  const targets = choose(able, hash, agent.id, undefined, () => 0);
  const reason = hash.reason(targets[0]!, able, { key: agent.id, last: undefined, random: () => 0 });
  return { owner, groupId: group.id, targets, reason };
}

/** A registration is no session, so a full router may keep it. Weak evidence against all of them speaks against the observer. */
function ableRouters(routers: readonly NodeRow[]): NodeRow[] {
  const up = routers.filter(({ status, load }) => status === 'up' && load.backend === 'up');
  return up.length > 0 ? up : routers.filter(({ status }) => status === 'suspect');
}
