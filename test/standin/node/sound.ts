import type { CallLeg } from './call.ts';
import { Signal } from './signal.ts';

/** A sound file lasts this long, milliseconds: there is none to look at. */
const FILE_MS = 1_000;

/** How long a source plays, milliseconds; Infinity for what does not end by itself. */
function durationMs(source: string): number {
  const loops = Number(
    /;loops=(-?\d+)/.exec(source)?.[1] ?? /^\{[^}]*\bloops=(-?\d+)/.exec(source)?.[1] ?? 1,
  );
  if (loops < 0) return Number.POSITIVE_INFINITY;
  const silence = /silence_stream:\/\/(-?\d+)/.exec(source)?.[1];
  if (silence !== undefined) return Number(silence) < 0 ? Number.POSITIVE_INFINITY : Number(silence);
  return Math.max(1, loops) * (source.includes('tone_stream://') ? toneMs(source) : FILE_MS);
}

/** TGML: %(on,off,frequencies), on and off in milliseconds. */
function toneMs(source: string): number {
  const tones = [...source.matchAll(/%\((\d+),(\d+)/g)];
  return tones.reduce((sum, [, on, off]) => sum + Number(on) + Number(off), 0);
}

/** What a leg hears now; `uuid_break` ends it. */
export class Sound {
  readonly over = new Signal();
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }
}

/** Pretends to play to a leg: no sample is sent, the time passes and the events are told. */
export async function play(
  leg: CallLeg,
  source: string,
  until: Signal,
  ms = durationMs(source),
): Promise<void> {
  const { channel } = leg;
  const sound = new Sound(source);
  const off = until.on(() => sound.over.fire());
  leg.sounds.add(sound);
  const path: [string, string][] = [['Playback-File-Path', source]];
  channel.fire('PLAYBACK_START', path);
  await sound.over.within(ms);
  off();
  leg.sounds.delete(sound);
  const status = sound.over.happened ? 'break' : 'done';
  if (channel.alive) channel.fire('PLAYBACK_STOP', [...path, ['Playback-Status', status]]);
}
