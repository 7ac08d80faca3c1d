import type { ListAuditRequest, ListAuditResponse } from '@callmesh/proto/tenant';
import { afterToken, pageSize, pageToken } from '@callmesh/runtime';
import { specOf } from '../domain/kinds/index.ts';
import type { Registry } from './registry.ts';

/** Who changed what, newest first. */
export async function listAudit(
  { store }: Registry,
  { tenantId, pageSize: asked, pageToken: token }: ListAuditRequest,
): Promise<ListAuditResponse> {
  const limit = pageSize(asked);
  const name = `audit/${tenantId}`;
  const before = afterToken(name, token);
  const lines = await store.audit(tenantId, before === undefined ? undefined : Number(before), limit + 1);
  const page = lines.slice(0, limit);
  return {
    entries: page.map(({ kind, tenant, ...line }) => ({
      ...line,
      kind: specOf(kind).kind,
      tenantId: tenant,
    })),
    nextPageToken: lines.length > limit ? pageToken(name, String(page.at(-1)!.revision)) : '',
  };
}
