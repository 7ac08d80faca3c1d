import type { SessionCacheServiceClient } from '@callmesh/proto/session';
import { call, fail } from '@callmesh/runtime';
import type { Contact } from '../domain/model.ts';

const RETRY_S = 1;
/**
 * A call to an agent cannot go on without the answer, unlike one whose binding is late: so most of the time a router's
 * agent gives us (800 ms a try), milliseconds.
 */
const DEADLINE_MS = 600;

/** Asks session-cache where an agent is registered: live contacts, newest first. Error: unavailable when it does not answer in time. */
export function registrations(client: SessionCacheServiceClient) {
  return async (aor: string): Promise<Contact[]> => {
    try {
      const { registrations: found } = await call(
        client,
        'getRegistrations',
        { aor },
        { deadlineMs: DEADLINE_MS },
      );
      return found.map(({ contact, path, routerId, tenantId }) => ({
        uri: contact,
        path,
        routerId,
        tenantId,
      }));
    } catch (error) {
      throw fail('unavailable', 'session-cache does not answer', { retryAfterS: RETRY_S, cause: error });
    }
  };
}
