import { fail } from '@callmesh/runtime';
import type { Leg } from '../leg.ts';
import { word } from './escape.ts';
import { broadcast, stop } from './lines.ts';

interface Lines {
  readonly lines: readonly string[];
  readonly before: readonly string[];
  readonly after: readonly string[];
}

const NOTHING: Lines = { lines: [], before: [], after: [] };

/**
 * The far end is told that it will only be sent to (RFC 3264 section 8.4), and hears
 * music; whom it is connected to hears nothing of it. FreeSWITCH's own uuid_hold is
 * the other way round: music for the other one, and silence for the leg.
 */
export function hold({ uuid, held, answeredAt, bridgedTo }: Leg, music: string): Lines {
  if (held === 'near') return NOTHING;
  if (held === 'far') throw fail('precondition_failed', 'the far end holds already');
  if (answeredAt === 0) throw fail('precondition_failed', 'the leg is not answered');
  return {
    ...NOTHING,
    lines: [...renegotiate(uuid, true), broadcast(uuid, { name: 'playback', arg: music })],
    // Music is endless: without this the leg would not notice that it is alone.
    after: hook(bridgedTo, word(stop(uuid))),
  };
}

export function unhold({ uuid, held, bridgedTo }: Leg): Lines {
  if (held !== 'near') return NOTHING;
  return { ...NOTHING, lines: [stop(uuid), ...renegotiate(uuid, false)], after: hook(bridgedTo, '') };
}

/** A leg that is to do something else is taken back first, and nothing of its hold may disturb that. */
export function taken(leg: Leg | undefined): Lines {
  if (leg?.held !== 'near') return NOTHING;
  return { ...NOTHING, before: hook(leg.bridgedTo, ''), lines: unhold(leg).lines };
}

/** Who is only sent to sends nothing, which must not be taken for a network that failed. */
function renegotiate(uuid: string, on: boolean): string[] {
  const marks = on
    ? 'callmesh_held=true;origination_audio_mode=sendonly;media_timeout_audio=3600000'
    : 'callmesh_held=;origination_audio_mode=sendrecv;media_timeout_audio=';
  return [`uuid_setvar_multi ${uuid} ${marks}`, `uuid_media_reneg ${uuid}`];
}

/** What FreeSWITCH does when that leg hangs up; nothing when `api` is empty. */
function hook(uuid: string, api: string): string[] {
  return uuid === '' ? [] : [`uuid_setvar ${uuid} api_hangup_hook ${api}`.trimEnd()];
}
