import type { SessionCacheServiceServer } from '@callmesh/proto/session';
import { unaryHandler } from '@callmesh/runtime';
import { checkAor, checkRegistration } from '../domain/check.ts';
import type { Registrar } from '../domain/registrar.ts';

type RegistrationHandlers = Pick<
  SessionCacheServiceServer,
  'putRegistration' | 'getRegistrations' | 'removeRegistration' | 'listRegistrations'
>;

/** The RPCs about registrations: check, ask the domain, answer. */
export function registrationHandlers(registrar: Registrar): RegistrationHandlers {
  return {
    putRegistration: unaryHandler((request) => registrar.put(checkRegistration(request))),
    getRegistrations: unaryHandler(async ({ aor }) => ({
      registrations: await registrar.get(checkAor('aor', aor)),
    })),
    removeRegistration: unaryHandler(async ({ aor, contact }) => ({
      removed: await registrar.remove(checkAor('aor', aor), contact),
    })),
    listRegistrations: unaryHandler((request) => {
      const { items, next } = registrar.list(request);
      return { registrations: items, nextPageToken: next };
    }),
  };
}
