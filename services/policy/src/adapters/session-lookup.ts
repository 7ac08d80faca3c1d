import type { SessionCacheServiceClient } from '@callmesh/proto/session';
import { call, fail, roleOf, toCallmeshError } from '@callmesh/runtime';
import type { Binding, Role } from '../domain/model.ts';
import { bindingFrom } from './proto.ts';

const RETRY_S = 1;

/**
 * Asks session-cache for the binding of a Call-ID; undefined when there is none.
 * Error: unavailable, with seconds to wait, when it does not answer in time.
 */
export function sessionLookup(client: SessionCacheServiceClient, deadlineMs: number) {
  return async (tenantId: string, role: Role, callId: string): Promise<Binding | undefined> => {
    try {
      const key = { $case: 'callId', value: callId } as const;
      return bindingFrom(await call(client, 'get', { tenantId, key, role: roleOf(role) }, { deadlineMs }));
    } catch (error) {
      if (toCallmeshError(error).code === 'not_found') return undefined;
      throw fail('unavailable', 'session-cache does not answer', { retryAfterS: RETRY_S, cause: error });
    }
  };
}
