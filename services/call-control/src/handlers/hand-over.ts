import type { CallEvent } from '@callmesh/proto/call';
import { type ErrorCode, fail } from '@callmesh/runtime';
import type { Logger } from 'pino';
import { consulted, replacedCallId } from '../domain/application/attended.ts';
import { farEnd, type LiveLegs } from '../domain/live-legs.ts';
import type { ApplicationPorts } from './application.ts';

const COMMAND_MS = 3_000;

export interface HandOverPorts extends Pick<ApplicationPorts, 'send'> {
  readonly legs: Pick<LiveLegs, 'leg' | 'ofCall'>;
  readonly logger: Logger;
  /** What becomes of a call that is given to a number or a name. */
  readonly otherwise: (event: CallEvent) => Promise<void>;
}

/**
 * A call that an agent gave away: to whom it consulted it is connected, if that one is on the same
 * node, and calls anew, if not. A call of the agent's that is not there is a number nobody has.
 */
export function handOver(ports: HandOverPorts): (event: CallEvent) => Promise<void> {
  return async (event) => {
    const { legs, logger, otherwise } = ports;
    const callId = replacedCallId(event.referredTo);
    if (callId === undefined) return otherwise(event);
    const given = legs.leg(event.legUuid);
    const other = given && consulted(given, callId, legs);
    if (!other) return otherwise(event);
    if (other.nodeId !== event.nodeId) return otherwise({ ...event, referredTo: farEnd(other) });
    await connect(ports, event, other.legUuid);
    const { tenantId: tenant, sessionId: session, nodeId: node } = event;
    logger.info({ kind: 'attended', tenant, session, node }, 'application');
  };
}

async function connect({ send }: HandOverPorts, event: CallEvent, otherLegUuid: string): Promise<void> {
  const { nodeId, nodeEpoch, tenantId, sessionId, legUuid, sequence } = event;
  const { errorCode, errorMessage } = await send(nodeId, {
    commandId: `refer-${legUuid}-${sequence}`,
    expiresAt: new Date(Date.now() + COMMAND_MS),
    ...{ nodeEpoch, tenantId, sessionId, legUuid },
    actor: 'call-control/application',
    command: { $case: 'bridge', value: { otherLegUuid } },
  });
  // The event comes again for what passes; one of the two has gone otherwise.
  if (['unavailable', 'deadline'].includes(errorCode)) throw fail(errorCode as ErrorCode, errorMessage);
}
