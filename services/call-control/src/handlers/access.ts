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
      throw this.#told(context, tenantId === '*' ? '' : tenantId, reached, error as CallmeshError);
    }
  }

  /** A thing of another tenant than the caller said. Error: tenant_forbidden. */
  checkOwner(context: CallContext, said: string, owner: string, what: string, reached: Reached): void {
    if (said === owner) return;
    const error = fail('tenant_forbidden', `${what} is not of tenant ${said}`);
    throw this.#told(context, owner, reached, error, ` for ${said}`);
  }

  #told(
    context: CallContext,
    tenantId: string,
    reached: Reached,
    error: CallmeshError,
    detail = '',
  ): CallmeshError {
    this.#audit.publish({
      what: reached,
      code: error.code,
      tenantId,
      actor: context.actor,
      detail: `${error.message}${detail}`,
    });
    return error;
  }
}
