import type {
  ExportTenantRequest,
  ExportTenantResponse,
  ImportTenantRequest,
  ImportTenantResponse,
} from '@callmesh/proto/tenant';
import { fail } from '@callmesh/runtime';
import { actionOf } from '../domain/batch.ts';
import { batchOf, readDocuments } from '../domain/document/read.ts';
import { writeDocument } from '../domain/document/write.ts';
import { PLATFORM } from '../domain/kind.ts';
import type { Registry } from './registry.ts';

/** Import and export of YAML documents; their shape is in docs/operations.md. */

export async function importTenant(
  registry: Registry,
  { yaml, dryRun }: ImportTenantRequest,
  actor: string,
): Promise<ImportTenantResponse> {
  const documents = readDocuments(yaml);
  const { changes, revision } = await registry.apply(batchOf(documents), actor, { dryRun });
  const count = (action: string) => changes.filter((change) => actionOf(change) === action).length;
  const tenants = new Set(documents.map(({ tenant }) => tenant).filter((tenant) => tenant !== PLATFORM));
  return {
    tenantId: tenants.size === 1 ? [...tenants][0]! : '',
    created: count('create'),
    updated: count('update'),
    deleted: count('delete'),
    revision: dryRun ? (await registry.store.bounds()).revision : revision,
  };
}

export async function exportTenant(
  { store }: Registry,
  { tenantId }: ExportTenantRequest,
): Promise<ExportTenantResponse> {
  const rows = await store.ofTenant(tenantId);
  if (tenantId !== PLATFORM && !rows.some(({ spec }) => spec.name === 'tenant'))
    throw fail('not_found', `there is no tenant ${tenantId}`, { field: 'tenant_id' });
  return { yaml: writeDocument(tenantId, rows) };
}
