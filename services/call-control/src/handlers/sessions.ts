import type { GetSessionRequest, GetSessionResponse, LiveLeg } from '@callmesh/proto/control';
import type { CallContext } from '@callmesh/runtime';
import type { Places } from '../adapters/places.ts';
import { checkSessionId, checkTenant } from '../domain/check.ts';
import type { KnownLeg } from '../domain/live-legs.ts';
import type { Access } from './access.ts';

/** Where a session lives, and its legs as events told of them. */
export function getSession(access: Access, places: Places) {
  return async (request: GetSessionRequest, context: CallContext): Promise<GetSessionResponse> => {
    const { sessionId } = request;
    const tenantId = checkTenant('tenant_id', request.tenantId);
    access.check(context, tenantId, 'command');
    const session = await places.session(checkSessionId('session_id', sessionId), context.deadline);
    access.checkOwner(context, tenantId, session.tenantId, `session ${sessionId}`, 'command');
    const { nodeId, nodeEpoch } = session;
    const legs = places.legsOf(sessionId, session).map(toLiveLeg);
    return { nodeId, nodeEpoch, function: session.function, legs };
  };
}

function toLiveLeg({ tenantId: _t, sessionId: _s, nodeEpoch: _e, ...leg }: KnownLeg): LiveLeg {
  return leg;
}
