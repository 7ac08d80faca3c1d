import type { Conference, Program, StartRecording, Step, Voicemail } from '@callmesh/proto/program';
import { fail } from '@callmesh/runtime';
import * as check from './check.ts';
import { dial, type Session } from './dial.ts';
import type { App } from './escape.ts';
import { play, type Speech, say } from './sound.ts';
import { setApps, variables } from './variables.ts';

/** What a program is rendered for. */
export interface Scene extends Session {
  /** The next recording's path below the recordings folder. */
  readonly recording: (ordinal: number) => string;
  /** FreeSWITCH's recordings folder, absolute. */
  readonly recordings: string;
  readonly speech: Speech;
}

/** Applications an inline dialplan takes. */
const MOST_APPS = 127;
const MOST_WAIT_MS = 3_600_000;
const MOST_PARK_S = 86_400;
const MOST_RECORD_S = 86_400;

/** A program as applications of FreeSWITCH. Errors: invalid_argument with the field. */
export function programApps(program: Program | undefined, scene: Scene, field: string): App[] {
  const steps = program?.steps ?? [];
  if (steps.length === 0)
    throw fail('invalid_argument', `${field}.steps: expected at least one`, { field: `${field}.steps` });
  const apps = steps.flatMap((step, index) => stepApps(step, scene, `${field}.steps[${index}]`, index));
  if (apps.length > MOST_APPS)
    throw fail('invalid_argument', `${field}.steps: too many for one program`, { field: `${field}.steps` });
  return apps;
}

function stepApps({ step }: Step, scene: Scene, field: string, index: number): App[] {
  switch (step?.$case) {
    case 'ring':
      return [{ name: 'ring_ready' }];
    case 'answer':
      return [{ name: 'answer' }];
    case 'echo':
      return [{ name: 'echo' }];
    case 'play':
      return [play(step.value, `${field}.play`)];
    case 'say':
      return [say(step.value, scene.speech, `${field}.say`)];
    case 'dial':
      return dial(step.value, scene, `${field}.dial`);
    case 'conference':
      return [conference(step.value, scene, `${field}.conference`)];
    case 'voicemail':
      return voicemail(step.value, `${field}.voicemail`);
    case 'wait':
      return [
        { name: 'sleep', arg: String(check.between(step.value.ms, 1, MOST_WAIT_MS, `${field}.wait.ms`)) },
      ];
    case 'park':
      return park(step.value.timeoutS, `${field}.park.timeout_s`);
    case 'hangUp':
      return [{ name: 'hangup', arg: cause(step.value.cause, `${field}.hang_up.cause`) }];
    case 'setVariables':
      return setApps(variables(step.value, `${field}.set_variables`));
    case 'startRecording':
      return record(step.value, scene, index, `${field}.start_recording`);
    default:
      throw fail('invalid_argument', `${field}: no such step`, { field });
  }
}

export function cause(name: string, field: string): string {
  return check.cause(name || 'NORMAL_CLEARING', field);
}

export function park(timeoutS: number, field: string): App[] {
  const seconds = check.between(timeoutS, 0, MOST_PARK_S, field);
  const limit = { name: 'set', arg: `park_timeout=${seconds}:NORMAL_CLEARING` };
  return [...(seconds > 0 ? [limit] : []), { name: 'park' }];
}

/** A tenant id has no dot: what is before the first is the tenant, the rest the room. */
export function roomName(tenantId: string, room: string): string {
  return `${tenantId}.${room}`;
}

function conference({ room, muted, moderator }: Conference, { tenantId }: Scene, field: string): App {
  const name = roomName(tenantId, check.room(room, `${field}.room`));
  const flags = [...(muted ? ['mute'] : []), ...(moderator ? ['moderator', 'endconf'] : [])];
  return {
    name: 'conference',
    arg: `${name}@default${flags.length > 0 ? `+flags{${flags.join('|')}}` : ''}`,
  };
}

function voicemail({ agentId, listen }: Voicemail, field: string): App[] {
  const [user, domain] = check.agent(agentId, `${field}.agent_id`).split('@') as [string, string];
  if (!listen) return [{ name: 'voicemail', arg: `default ${domain} ${user}` }];
  // Whoever commands this has found out who is calling: no PIN on top.
  return [
    { name: 'set', arg: 'voicemail_authorized=true' },
    { name: 'voicemail', arg: `check default ${domain} ${user}` },
  ];
}

function record({ stereo, limitS }: StartRecording, scene: Scene, ordinal: number, field: string): App[] {
  const limit = check.between(limitS, 0, MOST_RECORD_S, `${field}.limit_s`);
  const path = `${scene.recordings}/${scene.recording(ordinal)}`;
  return [
    { name: 'set', arg: `RECORD_STEREO=${stereo}` },
    { name: 'set', arg: `callmesh_recording=${path}` },
    { name: 'record_session', arg: `${path}${limit > 0 ? ` +${limit}` : ''}` },
  ];
}
