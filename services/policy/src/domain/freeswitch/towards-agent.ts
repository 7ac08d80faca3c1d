import { fail } from '@callmesh/runtime';
import type { Directory } from '../directory.ts';
import type { Agent, Contact } from '../model.ts';
import { deviceAddress } from './contact.ts';
import { type App, bridge, continueOn, legVariables, set } from './dial-string.ts';
import type { Question } from './question.ts';

/** The media node that calls says how long it rings; this only has to be longer, seconds. */
const RING_S = '300';

/**
 * The agent a node of the mesh calls through a router. Errors: not_found for a tenant
 * that is not there, tenant_forbidden for a domain that is not that tenant's,
 * tenant_disabled, unknown_agent, agent_disabled.
 */
export function calledAgent({ mesh, requestUser, requestHost }: Question, directory: Directory): Agent {
  const tenant = directory.tenant(mesh.tenant);
  if (!tenant) throw fail('tenant_forbidden', 'the call names no tenant there is', { field: 'tenant' });
  if (requestHost !== tenant.domain)
    throw fail('tenant_forbidden', `a call of ${tenant.id} asks for a domain that is not its own`);
  if (!tenant.enabled) throw fail('tenant_disabled', `tenant ${tenant.id} is disabled`);
  const agent = directory.agent(tenant.id, requestUser);
  if (!agent) throw fail('unknown_agent', 'no such agent');
  if (!agent.enabled) throw fail('agent_disabled', 'the called agent is disabled');
  return agent;
}

/** Rings every device of an agent; undefined when there is none that can be reached. */
export function ringDevices(agent: Agent, contacts: readonly Contact[]): App[] | undefined {
  const addresses = contacts
    .filter(({ tenantId }) => tenantId === agent.tenantId)
    .flatMap((contact) => deviceAddress(contact) ?? []);
  if (addresses.length === 0) return undefined;
  const variables = legVariables({ callmesh_agent: agent.id });
  return [
    set('hangup_after_bridge', 'true'),
    // Whoever called learns the cause; nothing follows here.
    continueOn([]),
    set('call_timeout', RING_S),
    bridge(
      addresses.map((address) => variables + address),
      'at once',
    ),
  ];
}
