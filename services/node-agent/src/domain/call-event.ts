import { CallEvent } from '@callmesh/proto/call';
import type { Node } from '@callmesh/proto/node';
import type { Fields } from './fields.ts';
import type { LegEvent } from './leg-table.ts';

/** The cause told when a leg ended and nobody said why (ITU-T Q.850 cause 31). */
const UNKNOWN_CAUSE = 'NORMAL_UNSPECIFIED';

/** The call event of something that happened to a leg; `fields` is what FreeSWITCH said, or what showed it. */
export function callEventOf({ event, leg }: LegEvent, fields: Fields, node: Node, now: number): CallEvent {
  return CallEvent.fromPartial({
    event,
    tenantId: leg.tenantId,
    sessionId: leg.sessionId,
    legUuid: leg.uuid,
    callId: leg.callId,
    nodeId: node.id,
    nodeEpoch: node.epoch,
    role: node.role,
    at: new Date(microseconds(fields) ?? now),
    sequence: fields.number('Event-Sequence') ?? 0,
    outbound: leg.outbound,
    caller: leg.caller,
    callee: leg.callee,
    hangupCause: event === 'hangup' ? (fields.get('Hangup-Cause') ?? UNKNOWN_CAUSE) : '',
    otherLegUuid: event === 'bridged' ? otherLeg(fields, leg.uuid) : '',
  });
}

/** FreeSWITCH's own time of the event, as milliseconds. */
function microseconds(fields: Fields): number | undefined {
  const stamp = fields.number('Event-Date-Timestamp');
  return stamp === undefined ? undefined : Math.floor(stamp / 1000);
}

function otherLeg(fields: Fields, uuid: string): string {
  const ends = [fields.get('Bridge-A-Unique-ID'), fields.get('Bridge-B-Unique-ID')];
  return ends.find((end) => end && end !== uuid) ?? fields.get('Other-Leg-Unique-ID') ?? '';
}
