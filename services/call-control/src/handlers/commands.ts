import type {
  AnswerRequest,
  BridgeRequest,
  CallControlServiceServer,
  CollectDigitsRequest,
  CommandResponse,
  HoldRequest,
  JoinConferenceRequest,
  KickFromConferenceRequest,
  LegRef,
  MuteInConferenceRequest,
  ParkRequest,
  PauseRecordingRequest,
  PlayRequest,
  RunRequest,
  SayRequest,
  SendDtmfRequest,
  SetVariablesRequest,
  StartRecordingRequest,
  StopPlayRequest,
  StopRecordingRequest,
  SuperviseRequest,
  TransferAttendedRequest,
} from '@callmesh/proto/control';
import type { Step } from '@callmesh/proto/program';
import { type CallContext, unaryHandler } from '@callmesh/runtime';
import { checkLeg, checkLegUuid, present } from '../domain/check.ts';
import type { Command, Commander, Done } from './commander.ts';

/** What requests that command one leg have in common. */
interface LegRequest {
  readonly idempotencyKey: string;
  readonly leg?: LegRef | undefined;
}

/** A leg that is asked for digits is asked this much longer than it may take, milliseconds. */
const COLLECT_MARGIN_MS = 5_000;

type Simple = Pick<
  CallControlServiceServer,
  | 'answer'
  | 'run'
  | 'bridge'
  | 'transferAttended'
  | 'hold'
  | 'play'
  | 'stopPlay'
  | 'say'
  | 'collectDigits'
  | 'startRecording'
  | 'pauseRecording'
  | 'stopRecording'
  | 'sendDtmf'
  | 'joinConference'
  | 'muteInConference'
  | 'kickFromConference'
  | 'park'
  | 'supervise'
  | 'setVariables'
>;

/** Commands that are one command of one leg's node; what their fields may hold is that node's agent's to check. */
export function commandHandlers(commander: Commander): Simple {
  const order = <R extends LegRequest>(context: CallContext, request: R, command: Command, ms?: number) =>
    commander.order(context, {
      idempotencyKey: request.idempotencyKey,
      leg: checkLeg(request.leg),
      request,
      command,
      ...(ms !== undefined && { ms }),
    });
  const simple = <R extends LegRequest>(commandOf: (request: R) => Command) =>
    unaryHandler(async (request: R, context) =>
      responseOf(await order(context, request, commandOf(request))),
    );
  const run = <R extends LegRequest>(stepOf: (request: R) => Step['step']) =>
    simple<R>((request) => ({
      $case: 'run',
      value: { program: { steps: [{ step: stepOf(request) }] }, onlyFirst: false },
    }));
  return {
    answer: simple<AnswerRequest>(() => ({ $case: 'answer', value: {} })),
    run: simple<RunRequest>(({ program }) => ({
      $case: 'run',
      value: { program: present('program', program), onlyFirst: false },
    })),
    bridge: simple<BridgeRequest>(({ otherLegUuid }) => bridge('other_leg_uuid', otherLegUuid)),
    transferAttended: simple<TransferAttendedRequest>(({ consultedLegUuid }) =>
      bridge('consulted_leg_uuid', consultedLegUuid),
    ),
    hold: simple<HoldRequest>(({ on }) => ({ $case: 'hold', value: { on } })),
    play: simple<PlayRequest>(({ play, both }) => ({
      $case: 'play',
      value: { play: present('play', play), both },
    })),
    stopPlay: simple<StopPlayRequest>(() => ({ $case: 'stopPlay', value: {} })),
    say: simple<SayRequest>(({ say }) => ({ $case: 'say', value: present('say', say) })),
    collectDigits: unaryHandler(async (request: CollectDigitsRequest, context) => {
      const collect = present('collect', request.collect);
      const between = collect.digitTimeoutMs || collect.timeoutMs;
      const ms = collect.timeoutMs + collect.maxDigits * between + COLLECT_MARGIN_MS;
      const done = await order(context, request, { $case: 'collect', value: collect }, ms);
      return { ...responseOf(done), digits: done.result.digits, terminator: done.result.terminator };
    }),
    startRecording: unaryHandler(async (request: StartRecordingRequest, context) => {
      const recording = request.recording ?? { stereo: false, limitS: 0 };
      const done = await order(context, request, { $case: 'startRecording', value: recording });
      return { ...responseOf(done), recording: done.result.recording };
    }),
    pauseRecording: simple<PauseRecordingRequest>(({ on }) => ({ $case: 'pauseRecording', value: { on } })),
    stopRecording: simple<StopRecordingRequest>(() => ({ $case: 'stopRecording', value: {} })),
    sendDtmf: simple<SendDtmfRequest>(({ dtmf }) => ({ $case: 'sendDtmf', value: present('dtmf', dtmf) })),
    joinConference: run<JoinConferenceRequest>(({ conference }) => ({
      $case: 'conference',
      value: present('conference', conference),
    })),
    muteInConference: simple<MuteInConferenceRequest>(({ on }) => ({ $case: 'mute', value: { on } })),
    kickFromConference: simple<KickFromConferenceRequest>(() => ({ $case: 'kick', value: {} })),
    park: run<ParkRequest>(({ timeoutS }) => ({ $case: 'park', value: { timeoutS } })),
    supervise: simple<SuperviseRequest>(({ supervisedLegUuid, mode }) => ({
      $case: 'supervise',
      value: { supervisedLegUuid: checkLegUuid('supervised_leg_uuid', supervisedLegUuid), mode },
    })),
    setVariables: simple<SetVariablesRequest>(({ variables }) => ({
      $case: 'setVariables',
      value: present('variables', variables),
    })),
  };
}

function bridge(field: string, otherLegUuid: string): Command {
  return { $case: 'bridge', value: { otherLegUuid: checkLegUuid(field, otherLegUuid) } };
}

function responseOf({ nodeId, repeated }: Done & { repeated: boolean }): CommandResponse {
  return { nodeId, repeated };
}
