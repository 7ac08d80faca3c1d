import type { AuditServiceServer, ListRefusalsRequest, ListRefusalsResponse } from '@callmesh/proto/audit';
import { type CallContext, unaryHandler } from '@callmesh/runtime';
import type { Reader } from '../adapters/cdr/reader.ts';
import type { Access } from './access.ts';
import { nextToken, pageOf } from './record-pages.ts';

/** What was refused, for those who may see it. */
export function auditService(access: Access, reader: Reader): AuditServiceServer {
  async function listRefusals(
    request: ListRefusalsRequest,
    context: CallContext,
  ): Promise<ListRefusalsResponse> {
    access.check(context, request.tenantId, 'cdr');
    const page = pageOf('refusal', request);
    const [events, nextPageToken] = nextToken('refusal', page, await reader.refusals(page));
    return { events: [...events], nextPageToken };
  }
  return { listRefusals: unaryHandler(listRefusals) };
}
