import type {
  AnswerRequest,
  BridgeRequest,
  CallControlServiceServer,
  CallControlServiceService,
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
import type { Renamed } from '../domain/refusal.ts';
import type { Command, Commander, Done, Order } from './commander.ts';

/** What requests that command one leg have in common. */
interface LegRequest {
  readonly idempotencyKey: string;
  readonly leg?: LegRef | undefined;
}

/** What a request asks of its leg's node. */
type Asked = Pick<Order, 'command' | 'other' | 'ms'>;

/** A leg that is asked for digits is asked this much longer than it may take, milliseconds. */
const COLLECT_MARGIN_MS = 5_000;
/** Nobody is asked for digits for longer, milliseconds. */
const MOST_COLLECT_MS = 3_600_000;

type SimpleRpc = Exclude<
  keyof typeof CallControlServiceService,
  'originate' | 'transferBlind' | 'hangUp' | 'getSession' | 'watchEvents'
>;
type Simple = Pick<CallControlServiceServer, SimpleRpc>;

/** What fields of commands are called in the requests. */
const RENAMED: { readonly [R in SimpleRpc]?: Renamed } = {
  run: { 'run.': '' },
  bridge: { 'bridge.': '' },
  transferAttended: { 'bridge.other_leg_uuid': 'consulted_leg_uuid' },
  play: { 'play.play': 'play' },
  startRecording: { 'start_recording.': 'recording.' },
  sendDtmf: { 'send_dtmf.': 'dtmf.' },
  joinConference: { 'run.program.steps[0].': '' },
  park: { 'run.program.steps[0].park.': '' },
  supervise: { 'supervise.': '' },
  setVariables: { 'set_variables.': 'variables.' },
};

/** Commands that are one command of one leg's node; what their fields may hold is that node's agent's to check. */
export function commandHandlers(commander: Commander): Simple {
  const order = <R extends LegRequest>(rpc: SimpleRpc, request: R, context: CallContext, asked: Asked) =>
    commander.order(context, {
      rpc,
      idempotencyKey: request.idempotencyKey,
      leg: checkLeg(request.leg),
      request,
      renamed: RENAMED[rpc] ?? {},
      ...asked,
    });
  const simple = <R extends LegRequest>(rpc: SimpleRpc, askedBy: (request: R) => Asked) =>
    unaryHandler(async (request: R, context) =>
      responseOf(await order(rpc, request, context, askedBy(request))),
    );
  return {
    answer: simple<AnswerRequest>('answer', () => ({ command: { $case: 'answer', value: {} } })),
    run: simple<RunRequest>('run', ({ program }) => run(...present('program', program).steps)),
    bridge: simple<BridgeRequest>('bridge', ({ otherLegUuid }) => bridge('other_leg_uuid', otherLegUuid)),
    transferAttended: simple<TransferAttendedRequest>('transferAttended', ({ consultedLegUuid }) =>
      bridge('consulted_leg_uuid', consultedLegUuid),
    ),
    hold: simple<HoldRequest>('hold', ({ on }) => ({ command: { $case: 'hold', value: { on } } })),
    play: simple<PlayRequest>('play', ({ play, both }) => ({
      command: { $case: 'play', value: { play: present('play', play), both } },
    })),
    stopPlay: simple<StopPlayRequest>('stopPlay', () => ({ command: { $case: 'stopPlay', value: {} } })),
    say: simple<SayRequest>('say', ({ say }) => ({ command: { $case: 'say', value: present('say', say) } })),
    collectDigits: unaryHandler(async (request: CollectDigitsRequest, context) => {
      const done = await order('collectDigits', request, context, collecting(request));
      const { digits, terminator } = done.result;
      return { ...responseOf(done), digits, terminator };
    }),
    startRecording: unaryHandler(async (request: StartRecordingRequest, context) => {
      const value = request.recording ?? { stereo: false, limitS: 0 };
      const done = await order('startRecording', request, context, {
        command: { $case: 'startRecording', value },
      });
      return { ...responseOf(done), recording: done.result.recording };
    }),
    pauseRecording: simple<PauseRecordingRequest>('pauseRecording', ({ on }) => ({
      command: { $case: 'pauseRecording', value: { on } },
    })),
    stopRecording: simple<StopRecordingRequest>('stopRecording', () => ({
      command: { $case: 'stopRecording', value: {} },
    })),
    sendDtmf: simple<SendDtmfRequest>('sendDtmf', ({ dtmf }) => ({
      command: { $case: 'sendDtmf', value: present('dtmf', dtmf) },
    })),
    joinConference: simple<JoinConferenceRequest>('joinConference', ({ conference }) =>
      run({ step: { $case: 'conference', value: present('conference', conference) } }),
    ),
    muteInConference: simple<MuteInConferenceRequest>('muteInConference', ({ on }) => ({
      command: { $case: 'mute', value: { on } },
    })),
    kickFromConference: simple<KickFromConferenceRequest>('kickFromConference', () => ({
      command: { $case: 'kick', value: {} },
    })),
    park: simple<ParkRequest>('park', ({ timeoutS }) =>
      run({ step: { $case: 'park', value: { timeoutS } } }),
    ),
    supervise: simple<SuperviseRequest>('supervise', ({ supervisedLegUuid, mode }) => ({
      command: { $case: 'supervise', value: { supervisedLegUuid, mode } },
      other: other('supervised_leg_uuid', supervisedLegUuid),
    })),
    setVariables: simple<SetVariablesRequest>('setVariables', ({ variables }) => ({
      command: { $case: 'setVariables', value: present('variables', variables) },
    })),
  };
}

function run(...steps: Step[]): Asked {
  return { command: { $case: 'run', value: { program: { steps }, onlyFirst: false } } };
}

function bridge(field: string, otherLegUuid: string): Asked {
  const command: Command = { $case: 'bridge', value: { otherLegUuid } };
  return { command, other: other(field, otherLegUuid) };
}

function other(field: string, legUuid: string) {
  return { field, legUuid: checkLegUuid(field, legUuid) };
}

/** It may take as long as the digits may. */
function collecting(request: CollectDigitsRequest): Asked {
  const collect = present('collect', request.collect);
  const { timeoutMs, digitTimeoutMs, maxDigits } = collect;
  const ms = timeoutMs + maxDigits * (digitTimeoutMs || timeoutMs) + COLLECT_MARGIN_MS;
  return { command: { $case: 'collect', value: collect }, ms: Math.min(ms, MOST_COLLECT_MS) };
}

function responseOf({ nodeId, repeated }: Done & { repeated: boolean }): CommandResponse {
  return { nodeId, repeated };
}
