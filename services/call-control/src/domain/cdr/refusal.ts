import type { AuditEvent } from '@callmesh/proto/audit';
import { text, time } from './limits.ts';

/** A refusal as it is kept. */
export type Refusal = Omit<AuditEvent, 'at'> & { readonly at: Date };

/** What is kept of a refusal; without a name or a time it is `'unusable'`. */
export function refusalOf({ id, at, ...rest }: AuditEvent): Refusal | 'unusable' {
  const when = time(at);
  const { tenantId, what, code, actor, observer, detail } = rest;
  if (id === '' || !when) return 'unusable';
  return {
    id: text(id),
    at: when,
    tenantId: text(tenantId),
    what: text(what),
    code: text(code),
    actor: text(actor),
    observer: text(observer),
    detail: text(detail),
  };
}
