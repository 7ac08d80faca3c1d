import type { CallEvent, LegSummary } from '@callmesh/proto/call';
import { NodeRole } from '@callmesh/proto/node';
import { roleName } from '@callmesh/runtime';
import { type Leg, type Move, Told } from './leg.ts';
import { amount, count, text, time } from './limits.ts';

const TENANT = /^[a-z0-9-]{0,63}$/;
const SESSION = /^([0-9a-f]{16})?$/;
/** What FreeSWITCH names legs and lives by; not always a UUID. */
const NAME = /^[!-~]{1,64}$/;

/**
 * What an event tells of a leg; undefined where it is none that records are made
 * of. Never throws: what is beyond its limits is cut to them. An event without a
 * key, a time or an owner that could be anybody's is `'unusable'`.
 */
export function tellingOf(event: CallEvent): Leg | 'unusable' | undefined {
  const told = toldBy(event);
  if (told === undefined) return undefined;
  const { nodeEpoch, legUuid, tenantId, sessionId, summary } = event;
  const at = time(event.at);
  const startedAt = time(summary?.createdAt) ?? at;
  const isNamed = NAME.test(nodeEpoch) && NAME.test(legUuid);
  if (!isNamed || !TENANT.test(tenantId) || !SESSION.test(sessionId) || !startedAt) return 'unusable';
  const isEnd = told >= Told.endUnseen;
  return {
    ...partiesOf(event),
    ...summaryOf(summary),
    nodeEpoch,
    legUuid,
    told,
    tenantId,
    sessionId: tenantId && sessionId,
    startedAt,
    answeredAt: time(summary?.answeredAt) ?? (told === Told.answered ? at : null),
    endedAt: isEnd ? (time(summary?.endedAt) ?? at ?? startedAt) : null,
    hangupCause: isEnd ? text(event.hangupCause) : '',
  };
}

/** The life a leg went on in, if that is what an event tells. */
export function moveOf({ event, nodeEpoch, legUuid }: CallEvent): Move[] {
  return event === 'moved' && NAME.test(nodeEpoch) && NAME.test(legUuid) ? [{ nodeEpoch, legUuid }] : [];
}

function toldBy({ event, reconciled, summary }: CallEvent): Told | undefined {
  if (event === 'created') return Told.created;
  if (event === 'answered') return Told.answered;
  if (event !== 'hangup') return undefined;
  return reconciled || !summary ? Told.endUnseen : Told.ended;
}

type Parties =
  | 'callId'
  | 'nodeId'
  | 'role'
  | 'function'
  | 'outbound'
  | 'caller'
  | 'callee'
  | 'agentId'
  | 'trunkId';

function partiesOf(event: CallEvent): Pick<Leg, Parties> {
  return {
    callId: text(event.callId),
    nodeId: text(event.nodeId),
    role: roleOf(event.role),
    function: text(event.function),
    outbound: event.outbound,
    caller: text(event.caller),
    callee: text(event.callee),
    agentId: text(event.agentId),
    trunkId: text(event.trunkId),
  };
}

type Summarised =
  | 'progressAt'
  | 'bridgedAt'
  | 'endedBy'
  | 'sipStatus'
  | 'q850Cause'
  | 'readCodec'
  | 'writeCodec'
  | 'lastBridgeUuid'
  | 'transferred'
  | 'farAddress'
  | 'mos'
  | 'qualityPercent'
  | 'jitterMaxVariance'
  | 'packets'
  | 'lost'
  | 'packetsSent';

function summaryOf(summary: LegSummary | undefined): Pick<Leg, Summarised> {
  const { quality } = summary ?? {};
  return {
    progressAt: time(summary?.progressAt),
    bridgedAt: time(summary?.bridgedAt),
    endedBy: text(summary?.endedBy),
    sipStatus: count(summary?.sipStatus, 999),
    q850Cause: count(summary?.q850Cause, 127),
    readCodec: text(summary?.readCodec),
    writeCodec: text(summary?.writeCodec),
    lastBridgeUuid: text(summary?.lastBridgeUuid),
    transferred: summary?.transferred ?? false,
    farAddress: text(summary?.farAddress),
    mos: quality ? amount(quality.mos, 5) : null,
    qualityPercent: quality ? amount(quality.qualityPercent, 100) : null,
    jitterMaxVariance: quality ? amount(quality.jitterMaxVariance, Number.MAX_VALUE) : null,
    packets: quality ? count(quality.packets) : null,
    lost: quality ? count(quality.lost) : null,
    packetsSent: quality ? count(quality.packetsSent) : null,
  };
}

function roleOf(role: NodeRole): Leg['role'] {
  return role === NodeRole.NODE_ROLE_UNSPECIFIED || role === NodeRole.UNRECOGNIZED ? '' : roleName(role);
}
