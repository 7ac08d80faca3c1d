import { CallEvent, type LegSummary } from '@callmesh/proto/call';
import { NodeRole } from '@callmesh/proto/node';

/** When a test's calls begin: lately, so that no housekeeping finds them too old. */
export const BEGIN = Math.floor(Date.now() / 1000) * 1000 - 3_600_000;
/** So many milliseconds after that. */
export const at = (ms: number) => new Date(BEGIN + ms);

/** A leg of a story: what became of it, in milliseconds after the call began. */
export interface Story {
  readonly leg: string;
  readonly session?: string;
  readonly tenant?: string;
  readonly role?: NodeRole;
  readonly node?: string;
  readonly epoch?: string;
  readonly outbound?: boolean;
  readonly caller?: string;
  readonly callee?: string;
  readonly agent?: string;
  readonly trunk?: string;
  readonly created: number;
  readonly answered?: number;
  /** Absent: it lives. */
  readonly ended?: number;
  readonly cause?: string;
  readonly endedBy?: 'far' | 'near' | '';
  readonly mos?: number;
  readonly transferred?: boolean;
}

const SESSION = '00112233445566aa';

/** Everything a node tells of such a leg, in order. */
export function eventsOf(story: Story): CallEvent[] {
  const { created, answered, ended } = story;
  return [
    eventOf(story, 'created', created),
    ...(answered === undefined ? [] : [eventOf(story, 'answered', answered)]),
    ...(ended === undefined ? [] : [eventOf(story, 'hangup', ended)]),
  ];
}

export function eventOf(story: Story, event: string, ms: number): CallEvent {
  return CallEvent.fromPartial({
    event,
    tenantId: story.tenant ?? 'acme',
    sessionId: story.session ?? SESSION,
    legUuid: story.leg,
    callId: `${story.leg}@example`,
    nodeId: story.node ?? 'fs-media-a1',
    nodeEpoch: story.epoch ?? 'epoch-1',
    role: story.role ?? NodeRole.NODE_ROLE_MEDIA,
    at: at(ms),
    sequence: ms,
    outbound: story.outbound ?? false,
    caller: story.caller ?? '+4930100',
    callee: story.callee ?? '200',
    function: 'general',
    agentId: story.agent ?? '',
    trunkId: story.trunk ?? '',
    ...(event === 'hangup' && { hangupCause: story.cause ?? 'NORMAL_CLEARING', summary: summaryOf(story) }),
  });
}

function summaryOf({
  created,
  answered,
  ended = 0,
  endedBy = 'near',
  mos,
  transferred = false,
}: Story): LegSummary {
  return {
    createdAt: at(created),
    progressAt: undefined,
    answeredAt: answered === undefined ? undefined : at(answered),
    bridgedAt: undefined,
    endedAt: at(ended),
    endedBy,
    sipStatus: 200,
    q850Cause: 16,
    readCodec: 'PCMA',
    writeCodec: 'PCMA',
    quality:
      mos === undefined
        ? undefined
        : { mos, qualityPercent: 95, jitterMaxVariance: 1.5, packets: 1_000, lost: 3, packetsSent: 1_001 },
    lastBridgeUuid: '',
    transferred,
    farAddress: '198.51.100.7',
  };
}
