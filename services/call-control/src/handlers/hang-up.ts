import type { CommandResponse, HangUpRequest, LegRef } from '@callmesh/proto/control';
import { type CallContext, fail, toCallmeshError } from '@callmesh/runtime';
import type { Place, Places } from '../adapters/places.ts';
import { checkLeg } from '../domain/check.ts';
import { commandId } from '../domain/fingerprint.ts';
import { isMedia } from '../domain/live-legs.ts';
import type { Commander } from './commander.ts';

const RENAMED = { 'hang_up.': '' };

/** Ends a leg, or each of a session; the legs of other nodes end with those of the media node. */
export function hangUp(commander: Commander, places: Places) {
  return async (request: HangUpRequest, context: CallContext): Promise<CommandResponse> => {
    const { idempotencyKey, cause } = request;
    const leg = checkLeg(request.leg, 'session');
    const { tenantId, sessionId } = leg;
    const task = { rpc: 'hangUp', idempotencyKey, tenantId, sessionId, request };
    const { nodeId, repeated } = await commander.once(context, task, async (end) => {
      const place = await commander.placeOf(context, leg, end);
      const legs = leg.legUuid === '' ? mediaLegs(places, leg, place) : [leg];
      const told = await Promise.allSettled(
        legs.map((each) =>
          commander.send(context, place, {
            // Of a whole session each leg gets a command of its own.
            commandId: commandId(tenantId, idempotencyKey, leg.legUuid === '' ? each.legUuid : ''),
            leg: each,
            end,
            command: { $case: 'hangUp', value: { cause } },
            renamed: RENAMED,
          }),
        ),
      );
      requireEnded(told, leg);
      return { nodeId: place.nodeId };
    });
    return { nodeId, repeated };
  };
}

function mediaLegs(places: Places, { tenantId, sessionId }: LegRef, place: Place): LegRef[] {
  const legs = places.legsOf(sessionId, place).filter(isMedia);
  if (legs.length === 0) throw fail('session_gone', 'no leg of the session lives');
  return legs.map(({ legUuid }) => ({ tenantId, sessionId, legUuid }));
}

/** Of a session's legs one may end by itself while it is told to: that is what was wanted. */
function requireEnded(told: readonly PromiseSettledResult<unknown>[], { legUuid }: LegRef): void {
  for (const each of told) {
    if (each.status === 'fulfilled') continue;
    if (legUuid !== '' || toCallmeshError(each.reason).code !== 'session_gone') throw each.reason;
  }
}
