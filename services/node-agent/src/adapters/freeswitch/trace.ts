import { aboutCall, continueTrace, inSpan, SpanKind } from '@callmesh/runtime';
import type { LegEvent } from '../../domain/leg-table.ts';

/** What belongs to the setup of a call, and so to its trace: a conversation may go on for hours. */
const SETUP = new Set(['created', 'ringing', 'answered', 'bridged']);

/** Tells of a leg as a step of its call's trace. */
export function inTrace({ event, leg }: LegEvent, tell: () => void): void {
  const { trace, callId: call_id, sessionId: session } = leg;
  const attributes = {
    'callmesh.leg': leg.uuid,
    'callmesh.tenant': leg.tenantId,
    'callmesh.direction': leg.outbound ? 'outbound' : 'inbound',
  };
  const traced = SETUP.has(event) ? trace : '';
  aboutCall({ call_id, session }, () =>
    continueTrace(traced, () => inSpan(`leg ${event}`, SpanKind.INTERNAL, attributes, tell)),
  );
}
