import type { Play, Say } from '@callmesh/proto/program';
import { fail } from '@callmesh/runtime';
import * as check from './check.ts';
import type { App } from './escape.ts';

/** Below the sound folder: no step upwards, no other scheme. */
const FILE = /^(?!.*\.\.)(?=.{1,200}$)[A-Za-z0-9_-][A-Za-z0-9 ._-]*(\/[A-Za-z0-9_-][A-Za-z0-9 ._-]*)*$/;
/** TGML; of letters only what it needs, which leaves `path=` out: that would read any file. */
const TONE = /^tone_stream:\/\/[%(),.;:=>+*#0-9A-DLRVdlorsvwp -]{1,500}$/;
const SILENCE = /^silence_stream:\/\/\d{1,7}(,\d{1,5})?$/;
const LOOPS = /;loops=(-?\d+)$/;
/** Elements FreeSWITCH takes in a list of files. */
const MOST_FILES = 127;
const MOST_LOOPS = 10_000;

/** What the application `playback` is given; one call of it, so that one break ends it, repeats and all. */
export function source({ source, loops }: Play, field: string): string {
  const file = FILE.test(source);
  if (!file && !TONE.test(source) && !SILENCE.test(source))
    throw fail('invalid_argument', `${field}.source: expected a file of the sound folder, or a tone_stream`, {
      field: `${field}.source`,
    });
  const times = check.between(loops, -1, file ? MOST_FILES : MOST_LOOPS, `${field}.loops`);
  return TONE.test(source) ? repeatedTone(source, times) : repeatedFile(source, times);
}

function repeatedFile(file: string, times: number): string {
  if (times === 0 || times === 1) return file;
  return `file_string://${Array(times < 0 ? MOST_FILES : times)
    .fill(file)
    .join('!')}`;
}

function repeatedTone(tone: string, times: number): string {
  return times === 0 ? tone : `${tone.replace(LOOPS, '')};loops=${times}`;
}

export function play(play: Play, field: string): App {
  return { name: 'playback', arg: source(play, field) };
}

const MOST_TEXT = 1_000;

/** The node's speech engine, and the voice it speaks with unless another is named. */
export interface Speech {
  readonly engine: string;
  readonly voice: string;
}

export function say({ text, voice }: Say, speech: Speech, field: string): App {
  const spoken = check.text(text, MOST_TEXT * 4, `${field}.text`);
  if (spoken.trim() === '' || spoken.length > MOST_TEXT)
    throw fail('invalid_argument', `${field}.text: expected 1-${MOST_TEXT} characters`, {
      field: `${field}.text`,
    });
  const by = check.voice(voice, `${field}.voice`) || speech.voice;
  return { name: 'speak', arg: `${speech.engine}|${by}|${spoken}` };
}
