import { isMedia, type KnownLeg, type LiveLegs } from '../live-legs.ts';

/** What a door makes of a transfer out of another call (kamailio/routes/refer.cfg): that call's Call-ID, in hex. */
const REPLACES = /^replaces-((?:[0-9a-f]{2}){1,128})$/;

/** The Call-ID of the agent's other call, where a call is given to whoever is in that one (RFC 3891). */
export function replacedCallId(referredTo: string): string | undefined {
  const [, hex] = REPLACES.exec(referredTo) ?? [];
  return hex && Buffer.from(hex, 'hex').toString('latin1');
}

/**
 * Whom an agent consulted in the call it wants replaced. The agent's dialog is with a router, whose other
 * leg is a media node's: that one's partner is the consulted one. Undefined when there is no such call, or
 * it is not of the agent, and so of the tenant, that gave this one away.
 */
export function consulted(
  given: Pick<KnownLeg, 'tenantId' | 'lastAgent'>,
  callId: string,
  legs: Pick<LiveLegs, 'leg' | 'ofCall'>,
): KnownLeg | undefined {
  const { tenantId, lastAgent } = given;
  for (const atRouter of legs.ofCall(tenantId, callId)) {
    const inwards = legs.leg(atRouter.partner);
    const agents = inwards && legs.ofCall(tenantId, inwards.callId).find(isMedia);
    if (agents && lastAgent !== '' && agents.agentId === lastAgent) return legs.leg(agents.partner);
  }
  return undefined;
}
