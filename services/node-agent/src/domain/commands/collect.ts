import type { CollectCommand } from '@callmesh/proto/command';
import * as check from './check.ts';
import { type App, element, word } from './escape.ts';
import { source } from './sound.ts';

/** Subclass of the event that ends a collection. */
export const COLLECTED = 'callmesh::collected';
/** Its headers. */
export const COLLECTED_COMMAND = 'Callmesh-Command';
export const COLLECTED_DIGITS = 'Callmesh-Digits';
export const COLLECTED_TERMINATOR = 'Callmesh-Terminator';
/** The channel variable digits are collected in. */
export const DIGITS = 'callmesh_digits';

const MOST_DIGITS = 64;
const MOST_MS = 300_000;
/** Without any, FreeSWITCH would take "#". */
const NO_TERMINATOR = 'none';
const SILENCE = 'silence_stream://10';

/**
 * Asks for digits and tells them by an event of our own: FreeSWITCH's would come for
 * every application of every call. Less than a second of waiting is a second.
 */
export function collect(command: CollectCommand, id: string, field: string): App[] {
  const max = check.between(command.maxDigits, 1, MOST_DIGITS, `${field}.max_digits`);
  const min = check.between(command.minDigits, 0, max, `${field}.min_digits`);
  const { terminators, timeoutMs, digitTimeoutMs, prompt } = command;
  const first = check.between(timeoutMs, 1, MOST_MS, `${field}.timeout_ms`);
  const next = check.between(digitTimeoutMs, 0, MOST_MS, `${field}.digit_timeout_ms`) || first;
  const asked = [
    ...[min, max, 1, first],
    terminators ? check.digits(terminators, `${field}.terminators`) : NO_TERMINATOR,
    prompt ? word(source(prompt, `${field}.prompt`)) : SILENCE,
    ...[SILENCE, DIGITS, "''", next],
  ];
  const told = [
    'Event-Name=CUSTOM',
    `Event-Subclass=${COLLECTED}`,
    `${COLLECTED_COMMAND}=${id}`,
    `${COLLECTED_DIGITS}=\${${DIGITS}}`,
    `${COLLECTED_TERMINATOR}=\${read_terminator_used}`,
  ];
  return [
    { name: 'play_and_get_digits', arg: asked.join(' ') },
    { name: 'event', arg: told.map((header) => element(header, ',')).join(',') },
  ];
}
