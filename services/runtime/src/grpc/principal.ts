import type { Metadata } from '@grpc/grpc-js';
import { fail } from '../errors.ts';

/** Who calls, as its token proves. */
export interface Principal {
  readonly name: string;
  /** Tenants it may act for; "*" among them is every tenant. */
  readonly tenants: readonly string[];
}

/** The mesh itself: whoever holds its token. */
export const MESH: Principal = { name: 'mesh', tenants: ['*'] };
const NOBODY: Principal = { name: '', tenants: [] };

/** Kept beside the metadata and not in it, so that no caller can write it. */
const principals = new WeakMap<Metadata, Principal>();

export function setPrincipal(metadata: Metadata, principal: Principal): void {
  principals.set(metadata, principal);
}

export function principalOf(metadata: Metadata): Principal {
  return principals.get(metadata) ?? NOBODY;
}

/** True when it may act for the tenant; "*" asks for all of them. */
export function mayActFor({ tenants }: Principal, tenantId: string): boolean {
  return tenants.includes('*') || tenants.includes(tenantId);
}

/** Error: tenant_forbidden. */
export function requireTenant(principal: Principal, tenantId: string): void {
  if (!mayActFor(principal, tenantId))
    throw fail('tenant_forbidden', `${principal.name || 'the caller'} may not act for tenant ${tenantId}`);
}
