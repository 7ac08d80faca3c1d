import {
  type AuditPublisher,
  type CallContext,
  type CallmeshError,
  fail,
  requireTenant,
} from '@callmesh/runtime';
import { checkTenant } from '../domain/check.ts';

/** What is reached for, as audit events name it. */
export type Reached = 'command' | 'events' | 'cdr';

/** Who may do what for whom; a refusal is told to the audit once. */
export class Access {
  readonly #audit: Pick<AuditPublisher, 'publish'>;

  constructor(audit: Pick<AuditPublisher, 'publish'>) {
    this.#audit = audit;
  }

  /** "*" asks for every tenant. Errors: invalid_argument, tenant_forbidden. */
  check(context: CallContext, tenantId: string, reached: Reached): void {
    if (tenantId !== '*') checkTenant('tenant_id', tenantId);
    try {
      requireTenant(context.principal, tenantId);
    } catch (error) {
      const owner = tenantId === '*' ? '' : tenantId;
      this.#tell(context, owner, error as CallmeshError, reached);
      throw error;
    }
  }

  /** A thing of another tenant than the caller said. Error: tenant_forbidden. */
  checkOwner(context: CallContext, said: string, owner: string, what: string, reached: Reached): void {
    if (said === owner) return;
    const error = fail('tenant_forbidden', `${what} is not of tenant ${said}`);
    throw this.refused(context, said, owner, error, reached);
  }

  /** What somebody else found to be another tenant's: whose, is empty when unknown. */
  refused(
    context: CallContext,
    said: string,
    owner: string,
    error: CallmeshError,
    reached: Reached = 'command',
  ): CallmeshError {
    this.#tell(context, owner, error, reached, ` for ${said}`);
    return error;
  }

  #tell(context: CallContext, tenantId: string, error: CallmeshError, what: Reached, more = ''): void {
    const { actor } = context;
    const { code } = error;
    this.#audit.publish({ what, code, tenantId, actor, detail: `${error.message}${more}` });
  }
}
