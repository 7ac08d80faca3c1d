import type { NodeCommand } from '@callmesh/proto/command';
import { fail } from '@callmesh/runtime';
import type { Leg } from '../leg.ts';
import * as check from './check.ts';
import { collect, DIGITS } from './collect.ts';
import { word } from './escape.ts';
import { hold, taken, unhold } from './hold.ts';
import { broadcast, stop, transfer } from './lines.ts';
import { originate } from './originate.ts';
import { cause, park, programApps, roomName, type Scene } from './program.ts';
import { recordingPath } from './recording.ts';
import { play, type Speech, say } from './sound.ts';
import { supervise } from './supervise.ts';
import { setList, variables } from './variables.ts';

/** What FreeSWITCH is to be asked, and what the answer waits for. */
export interface Plan {
  /** API commands, in order; the first that is refused ends it. None: there is nothing to do. */
  readonly lines: readonly string[];
  /** What goes before and after them and may fail: it is about another leg, which may be gone. */
  readonly before?: readonly string[];
  readonly after?: readonly string[];
  /** All in one write: our end between two of them must not leave half of it done. */
  readonly atOnce?: boolean;
  /** The leg's creation, or the digits; without it the last line's answer is the result. */
  readonly awaits?: 'leg' | 'digits';
  /** The recording that was begun, below the recordings folder. */
  readonly recording?: string;
}

/** What plans depend on besides command and leg. */
export interface Setting {
  /** FreeSWITCH's recordings folder, absolute. */
  readonly recordings: string;
  /** What a held far end hears. */
  readonly holdMusic: string;
  readonly speech: Speech;
  /** The clock, milliseconds since 1970. */
  readonly now: number;
  leg(uuid: string): Leg | undefined;
}

type What = NonNullable<NodeCommand['command']>;
type Kind = What['$case'];
type Value<K extends Kind> = Extract<What, { $case: K }>['value'];
type Planner<K extends Kind> = (value: Value<K>, leg: Leg, command: NodeCommand, setting: Setting) => Plan;

const MOST_DTMF_MS = 8_000;
const MOST_RECORD_S = 86_400;

const PLANNERS: { readonly [K in Exclude<Kind, 'originate'>]: Planner<K> } = {
  run: ({ program, onlyFirst }, leg, command, setting) => {
    const apps = programApps(program, sceneOf(command, leg.function, setting), 'run.program');
    if (onlyFirst && leg.programmed) return { lines: [] };
    // Taken out of a conversation, a leg is transferred; before, it only begins.
    const marks = `callmesh_program=${command.commandId}${leg.bridgedTo && ';callmesh_transferred=true'}`;
    const { before, lines } = taken(leg);
    return {
      before,
      lines: [...lines, `uuid_setvar_multi ${leg.uuid} ${marks}`, transfer(leg.uuid, apps)],
      atOnce: true,
    };
  },
  answer: (_, { uuid }) => one(`uuid_answer ${uuid}`),
  bridge: ({ otherLegUuid }, leg, _, setting) => {
    const { uuid, lastBridge } = leg;
    const moved = lastBridge !== '' && lastBridge !== otherLegUuid;
    const ends = [taken(leg), taken(setting.leg(otherLegUuid))];
    return {
      before: ends.flatMap(({ before }) => before),
      lines: [
        ...ends.flatMap(({ lines }) => lines),
        ...(moved ? [`uuid_setvar ${uuid} callmesh_transferred true`] : []),
        `uuid_bridge ${uuid} ${otherLegUuid}`,
      ],
    };
  },
  hangUp: (value, { uuid }) => one(`uuid_kill ${uuid} ${cause(value.cause, 'hang_up.cause')}`),
  hold: ({ on }, leg, _, { holdMusic }) => (on ? hold(leg, holdMusic) : unhold(leg)),
  play: ({ play: sound, both }, { uuid }) => {
    if (!sound) throw missing('play.play');
    return { lines: [stop(uuid), broadcast(uuid, play(sound, 'play.play'), both ? 'both' : 'aleg')] };
  },
  stopPlay: (_, { uuid }) => one(stop(uuid)),
  say: (value, { uuid }, _, { speech }) => ({
    lines: [stop(uuid), broadcast(uuid, say(value, speech, 'say'))],
  }),
  collect: (value, { uuid }, { commandId }) => ({
    lines: [
      `uuid_setvar ${uuid} ${DIGITS}`,
      stop(uuid),
      ...collect(value, commandId, 'collect').map((app) => broadcast(uuid, app)),
    ],
    awaits: 'digits',
  }),
  startRecording: ({ stereo, limitS }, { uuid }, command, { recordings, now }) => {
    const limit = check.between(limitS, 0, MOST_RECORD_S, 'start_recording.limit_s');
    const recording = recordingPath(command, now);
    const path = `${recordings}/${recording}`;
    const marks = new Map([
      ['RECORD_STEREO', String(stereo)],
      ['callmesh_recording', path],
    ]);
    return {
      lines: [
        `uuid_setvar_multi ${uuid} ${setList(marks)}`,
        `uuid_record ${uuid} start ${word(path)} ${limit} {}`,
      ],
      recording,
    };
  },
  pauseRecording: ({ on }, leg) =>
    one(`uuid_record ${leg.uuid} ${on ? 'mask' : 'unmask'} ${word(recordingOf(leg))}`),
  stopRecording: (_, leg) => one(`uuid_record ${leg.uuid} stop ${word(recordingOf(leg))}`),
  sendDtmf: ({ digits, durationMs }, { uuid }) => {
    const ms = durationMs === 0 ? 100 : check.between(durationMs, 50, MOST_DTMF_MS, 'send_dtmf.duration_ms');
    return one(`uuid_send_dtmf ${uuid} ${check.digits(digits, 'send_dtmf.digits')}@${ms}`);
  },
  mute: ({ on }, leg) => {
    const { room, member } = membershipOf(leg);
    return one(`conference ${roomName(leg.tenantId, room)} ${on ? 'mute' : 'unmute'} ${member}`);
  },
  kick: (_, leg) => {
    membershipOf(leg);
    const { before, lines } = taken(leg);
    return { before, lines: [...lines, transfer(leg.uuid, park(0, 'kick'))] };
  },
  supervise: (value, leg) => {
    const { before, lines } = taken(leg);
    return { before, lines: [...lines, transfer(leg.uuid, supervise(value))] };
  },
  setVariables: (value, { uuid }) => {
    const values = variables(value, 'set_variables.variables');
    return { lines: values.size > 0 ? [`uuid_setvar_multi ${uuid} ${setList(values)}`] : [] };
  },
};

/** What to ask FreeSWITCH for a command on a leg it has. Errors: invalid_argument with the field, precondition_failed. */
export function planOf(command: NodeCommand, leg: Leg, setting: Setting): Plan {
  const { command: what } = command;
  if (!what || what.$case === 'originate') throw missing('command');
  const planner = PLANNERS[what.$case] as Planner<Kind>;
  return planner(what.value as Value<Kind>, leg, command, setting);
}

/** What to ask FreeSWITCH for a leg that is to be. Errors: invalid_argument with the field. */
export function originatePlan(command: NodeCommand, setting: Setting): Plan {
  if (command.command?.$case !== 'originate') throw missing('command');
  const { value } = command.command;
  const scene = sceneOf(command, check.functionName(value.function, 'originate.function'), setting);
  return { lines: [originate(command, value, scene)], awaits: 'leg' };
}

function sceneOf(command: NodeCommand, sessionFunction: string, setting: Setting): Scene {
  const { recordings, speech, now } = setting;
  return {
    tenantId: command.tenantId,
    sessionId: command.sessionId,
    function: sessionFunction,
    recordings,
    speech,
    // Each of a program begins, by name, a millisecond after the one before.
    recording: (ordinal) => recordingPath(command, now + ordinal),
  };
}

function one(line: string): Plan {
  return { lines: [line] };
}

function recordingOf({ recordings }: Leg): string {
  const last = recordings.at(-1);
  if (last === undefined) throw fail('precondition_failed', 'the leg is not being recorded');
  return last;
}

function membershipOf({ room, member }: Leg): { room: string; member: string } {
  if (room === '' || member === '') throw fail('precondition_failed', 'the leg is in no conference');
  return { room, member };
}

function missing(field: string): Error {
  return fail('invalid_argument', `${field}: missing`, { field });
}
