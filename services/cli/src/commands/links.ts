import { Kind, type Resource, TenantRegistryServiceClient } from '@callmesh/proto/tenant';
import { CallmeshError, roleOf } from '@callmesh/runtime';
import { ask, type Connection } from '../connection.ts';
import { functionOf } from '../words.ts';

/** A function of a tenant, in a role: what is linked to a group. */
export interface Linked {
  readonly tenantId: string;
  readonly fn: string;
  readonly role: string;
}

/** Returns the group it was linked to before; empty when the tenant had no link of its own. */
export async function link(connection: Connection, linked: Linked, groupId: string): Promise<string> {
  const { tenantId, fn, role } = linked;
  const value = { id: '', tenantId, function: functionOf(fn), groupId, role: roleOf(role) };
  const found = await existing(connection, `${tenantId}/${fn}/${role}`);
  const resource: Resource = { value: { $case: 'tenantApp', value }, revision: found?.revision ?? 0 };
  await write(connection, found ? 'update' : 'create', resource);
  return found?.value?.$case === 'tenantApp' ? found.value.value.groupId : '';
}

/** How many of a hundred general sessions of the tenant are tried out as gray; returns how many were before. */
export async function share(connection: Connection, tenantId: string, percent: number): Promise<number> {
  const registry = await connection.client(TenantRegistryServiceClient, 'tenant-registry');
  const found = await ask(connection, registry, 'get', { kind: Kind.KIND_TENANT, id: tenantId });
  if (found.value?.$case !== 'tenant') throw new Error(`${tenantId} is no tenant`);
  const { value } = found.value;
  if (value.canaryPercent !== percent) {
    const changed = { $case: 'tenant', value: { ...value, canaryPercent: percent } } as const;
    await write(connection, 'update', { ...found, value: changed });
  }
  return value.canaryPercent;
}

async function write(connection: Connection, how: 'create' | 'update', resource: Resource): Promise<void> {
  const registry = await connection.client(TenantRegistryServiceClient, 'tenant-registry');
  await ask(connection, registry, how, { resource, actor: 'cli' });
}

async function existing(connection: Connection, id: string): Promise<Resource | undefined> {
  const registry = await connection.client(TenantRegistryServiceClient, 'tenant-registry');
  try {
    return await ask(connection, registry, 'get', { kind: Kind.KIND_TENANT_APP, id });
  } catch (error) {
    if (error instanceof CallmeshError && error.code === 'not_found') return undefined;
    throw error;
  }
}
