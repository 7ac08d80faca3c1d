import { fail } from '@callmesh/runtime';
import { isCause } from './causes.ts';

/**
 * What comes from outside, looked at before it is put into a line. Each takes the
 * value and the name of its field and returns the value, or refuses the command.
 */

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const NUMBER = /^\+?[A-Za-z0-9._~*#-]{1,64}$/;
const AGENT = /^[A-Za-z0-9._~+-]{1,64}@[A-Za-z0-9.-]{1,255}$/;
const SLUG = /^[A-Za-z0-9-]{1,64}$/;
const FUNCTION = /^[a-z0-9-]{0,32}$/;
const ROOM = /^[A-Za-z0-9._-]{1,64}$/;
const VOICE = /^[A-Za-z0-9_-]{0,32}$/;
const CALL_ID = /^[A-Za-z0-9._%+@~*!-]{1,255}$/;
const COMMAND_ID = /^[A-Za-z0-9._-]{1,128}$/;
const DIGITS = /^[0-9A-D*#]{1,64}$/;
const HOST = '([A-Za-z0-9.-]{1,255}|\\[[0-9a-fA-F:.]{2,45}\\])';
const SIP_URI = new RegExp(
  `^sips?:([A-Za-z0-9._~*+%-]{1,128}@)?${HOST}(:\\d{1,5})?(;transport=(udp|tcp|tls))?$`,
);

function matching(pattern: RegExp, expected: string) {
  return (value: string, field: string): string => {
    if (!pattern.test(value)) throw fail('invalid_argument', `${field}: expected ${expected}`, { field });
    return value;
  };
}

export const uuid = matching(UUID, 'a channel UUID, in lower case');
export const number = matching(NUMBER, 'a number or user of up to 64 characters');
export const agent = matching(AGENT, '"<username>@<domain>"');
export const slug = matching(SLUG, '1-64 of A-Z a-z 0-9 -');
export const functionName = matching(FUNCTION, 'a function of a session');
export const room = matching(ROOM, '1-64 of A-Z a-z 0-9 . _ -');
export const voice = matching(VOICE, 'the name of a voice');
export const callId = matching(CALL_ID, 'a SIP Call-ID');
export const commandId = matching(COMMAND_ID, '1-128 of A-Z a-z 0-9 . _ -');
export const digits = matching(DIGITS, '1-64 of 0-9 A-D * #');
export const sipUri = matching(SIP_URI, 'a SIP URI: "sip:user@host:port;transport=udp"');

export function cause(value: string, field: string): string {
  if (!isCause(value)) throw fail('invalid_argument', `${field}: FreeSWITCH knows no such cause`, { field });
  return value;
}

export function between(value: number, least: number, most: number, field: string): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw fail('invalid_argument', `${field}: expected ${least}-${most}`, { field });
}

/** What a name or text may not hold: control characters, and marks FreeSWITCH would act on. */
const ACTIVE = /\p{Cc}|[\u2028\u2029\\]|\$\{|:_:/u;

/** Free text of at most `most` bytes. */
export function text(value: string, most: number, field: string): string {
  if (!value.isWellFormed()) throw fail('invalid_argument', `${field}: not valid Unicode`, { field });
  if (Buffer.byteLength(value) > most)
    throw fail('invalid_argument', `${field}: longer than ${most} bytes`, { field });
  if (ACTIVE.test(value))
    throw fail('invalid_argument', `${field}: control characters, "\\", "\${" and ":_:" are not taken`, {
      field,
    });
  return value;
}

/** A display name: text that stays inside the quotes of a From header. */
export function displayName(value: string, field: string): string {
  if (/["<>]/.test(value)) throw fail('invalid_argument', `${field}: " < and > are not taken`, { field });
  return text(value, 128, field);
}
