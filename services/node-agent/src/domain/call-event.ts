import { CallEvent } from '@callmesh/proto/call';
import type { Node } from '@callmesh/proto/node';
import { below } from './commands/recording.ts';
import type { Fields } from './fields.ts';
import type { LegEvent } from './leg-events.ts';
import { summaryOf } from './leg-summary.ts';
import { timeOf } from './times.ts';

/** The cause told when a leg ended and nobody said why (ITU-T Q.850 cause 31). */
const UNKNOWN_CAUSE = 'NORMAL_UNSPECIFIED';

/** What a call event is made with besides what happened. */
export interface Told {
  readonly node: Node;
  /** FreeSWITCH's recordings folder, absolute. */
  readonly recordings: string;
  /** Found by comparing lists, not told by an event. */
  readonly reconciled?: boolean;
  readonly now: number;
}

/** The call event of something that happened to a leg; `fields` is what FreeSWITCH said, or what showed it. */
export function callEventOf({ event, leg, detail }: LegEvent, fields: Fields, told: Told): CallEvent {
  const { node, now } = told;
  const hangup = event === 'hangup';
  return CallEvent.fromPartial({
    event,
    tenantId: leg.tenantId,
    sessionId: leg.sessionId,
    function: leg.function,
    agentId: leg.agentId,
    trunkId: leg.trunkId,
    legUuid: leg.uuid,
    callId: leg.callId,
    nodeId: node.id,
    nodeEpoch: node.epoch,
    role: node.role,
    at: new Date(timeOf(fields, now)),
    sequence: fields.number('Event-Sequence') ?? 0,
    ordinal: leg.ordinal,
    reconciled: told.reconciled ?? false,
    outbound: leg.outbound,
    caller: leg.caller,
    callee: leg.callee,
    ...detail,
    ...(detail?.recording !== undefined && { recording: below(told.recordings, detail.recording) }),
    ...(hangup && {
      hangupCause: fields.get('Hangup-Cause') ?? UNKNOWN_CAUSE,
      summary: summaryOf(leg, fields, now),
    }),
  });
}
