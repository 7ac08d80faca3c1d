import { type ResolveDestinationResponse, ResolvedKind } from '@callmesh/proto/policy';
import type { Dial, Program, Step } from '@callmesh/proto/program';

/** The called one is not there, or not now: whoever calls may leave a message. */
const NOT_THERE = [
  'NO_ANSWER',
  'NO_USER_RESPONSE',
  'USER_BUSY',
  'USER_NOT_REGISTERED',
  'SUBSCRIBER_ABSENT',
  'ALLOTTED_TIMEOUT',
  'CALL_REJECTED',
  'NORMAL_TEMPORARY_FAILURE',
  'NETWORK_OUT_OF_ORDER',
  'DESTINATION_OUT_OF_ORDER',
  'RECOVERY_ON_TIMER_EXPIRE',
];

/**
 * What a leg does that came for this destination; undefined when it stays parked
 * for a service of the platform.
 */
export function programFor(destination: ResolveDestinationResponse): Program | undefined {
  const steps = stepsFor(destination);
  return steps && { steps };
}

function stepsFor({
  kind,
  dial,
  room,
  announcement,
  mailbox,
}: ResolveDestinationResponse): Step[] | undefined {
  switch (kind) {
    case ResolvedKind.RESOLVED_KIND_AGENT:
      return mailbox === ''
        ? [dialStep(dial)]
        : [dialStep(dial, NOT_THERE), answer, voicemail(mailbox, false)];
    case ResolvedKind.RESOLVED_KIND_RING_GROUP:
    case ResolvedKind.RESOLVED_KIND_EXTERNAL:
      return [dialStep(dial)];
    case ResolvedKind.RESOLVED_KIND_CONFERENCE:
      return [answer, step('conference', { room, muted: false, moderator: false })];
    case ResolvedKind.RESOLVED_KIND_ANNOUNCEMENT:
      return [answer, step('play', announcement ?? { source: '', loops: 0 }), hangUp('NORMAL_CLEARING')];
    case ResolvedKind.RESOLVED_KIND_VOICEMAIL:
      return [answer, voicemail(mailbox, false)];
    case ResolvedKind.RESOLVED_KIND_OWN_VOICEMAIL:
      return [answer, voicemail(mailbox, true)];
    case ResolvedKind.RESOLVED_KIND_ECHO:
      return [answer, step('echo', {})];
    default:
      return undefined;
  }
}

const answer = step('answer', {});

function dialStep(dial: Dial | undefined, continueOn: readonly string[] = []): Step {
  const none = { groups: [], callerNumber: '', callerName: '', parkAfter: false, anonymous: false };
  return step('dial', { ...(dial ?? none), continueOn: [...continueOn] });
}

function voicemail(agentId: string, listen: boolean): Step {
  return step('voicemail', { agentId, listen });
}

export function hangUp(cause: string): Step {
  return step('hangUp', { cause });
}

type Kinds = NonNullable<Step['step']>;
function step<K extends Kinds['$case']>($case: K, value: Extract<Kinds, { $case: K }>['value']): Step {
  return { step: { $case, value } as Kinds };
}
