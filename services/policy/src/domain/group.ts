import { fail } from '@callmesh/runtime';
import { type Directory, PLATFORM } from './directory.ts';
import type { FunctionName, Group, Role, Tenant } from './model.ts';

/** A link is changed by people: sooner is of no use. */
const RETRY_S = 30;

/**
 * Step 4, which group: the tenant's link for the function, else the platform's;
 * another tenant's never. What an agent dials changes nothing of where its door
 * leads: without a router link of its own, every function has the general one.
 * Error: no_node.
 */
export function findGroup(tenant: Tenant, fn: FunctionName, role: Role, directory: Directory): Group {
  const linked = (owner: string) =>
    directory.link(owner, fn, role) ??
    (role === 'router' ? directory.link(owner, 'general', role) : undefined);
  const id = linked(tenant.id) ?? linked(PLATFORM);
  if (id === undefined)
    throw fail('no_node', `no ${role} group is linked for ${fn} of ${tenant.id}`, { retryAfterS: RETRY_S });
  return directory.group(id) ?? { id, strategy: '' };
}
