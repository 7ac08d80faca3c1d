import type { Find, Mismatch, Reference, Row } from './kind.ts';

/** What a DID's destination may be, by its kind. */

const AGENT_ID = /^[A-Za-z0-9._-]{1,64}@[a-z0-9.-]{1,253}$/;
const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
const E164 = /^\+[1-9]\d{2,14}$/;
/** "<trunk id>", or "<trunk id>/<number>" as the far end wants it. */
const AT_TRUNK = /^[a-z0-9][a-z0-9-]{0,62}(?:\/\+?[0-9*#]{1,32})?$/;
const MOST_MEMBERS = 50;

/**
 * A sound below the sounds folder or a generated tone. FreeSWITCH would expand
 * "${...}" and run "shell_stream://...", and "../" would reach another tenant's
 * recordings: only what is listed here gets through.
 */
const SOUND =
  /^(?:(?:tone_stream|silence_stream):\/\/[A-Za-z0-9%(),;:=.+-]+|[A-Za-z0-9_-][A-Za-z0-9 _./-]*)$/;

const rules: Record<string, readonly [test: (value: string) => boolean, expected: string]> = {
  agent: [(value) => AGENT_ID.test(value), 'expected an agent id, "<username>@<domain>"'],
  voicemail: [(value) => AGENT_ID.test(value), 'expected an agent id, "<username>@<domain>"'],
  'ring-group': [
    isRingGroup,
    `expected 1-${MOST_MEMBERS} different agent ids, with "," between those that ring at once and "|" between those that ring one after another`,
  ],
  conference: [(value) => NAME.test(value), 'expected a room name: 1-63 of a-z, 0-9 and "-"'],
  announcement: [
    isSound,
    'expected a sound file such as "ivr/welcome.wav" or "tone_stream://%(400,200,425)"',
  ],
  external: [(value) => E164.test(value), 'expected an E.164 number such as "+4930123456"'],
  control: [
    (value) => /^[A-Za-z0-9._:/-]{0,128}$/.test(value),
    'expected at most 128 of A-Z a-z 0-9 . _ : / -',
  ],
  trunk: [
    (value) => AT_TRUNK.test(value),
    'expected a trunk id, or "<trunk id>/<number>" such as "acme-pbx/200"',
  ],
};

/** What is wrong with a destination, if anything. */
export function problemOfDestination(kind: string, destination: string): string | undefined {
  const [test, expected] = rules[kind] ?? [];
  return test && !test(destination) ? expected : undefined;
}

/** What a destination refers to: agents, or a trunk. */
export function referencesOf(kind: string, destination: string): Reference[] {
  if (kind === 'trunk') return [{ kind: 'trunk', id: destination.split('/')[0]!, field: 'destination' }];
  return agentsOf(kind, destination).map((id) => ({ kind: 'agent', id, field: 'destination' }));
}

/** A carrier takes public numbers only. */
export function carrierTakesE164({ destination_kind, destination }: Row, find: Find): Mismatch | undefined {
  if (destination_kind !== 'trunk') return undefined;
  const [id = '', number] = String(destination).split('/');
  if (number === undefined || E164.test(number) || find('trunk', id)?.kind !== 'carrier') return undefined;
  return { field: 'destination', message: `trunk ${id} is a carrier: expected an E.164 number after "/"` };
}

function agentsOf(kind: string, destination: string): string[] {
  if (kind === 'ring-group') return destination.split(/[,|]/).map((id) => id.trim());
  return kind === 'agent' || kind === 'voicemail' ? [destination] : [];
}

function isRingGroup(value: string): boolean {
  const members = agentsOf('ring-group', value);
  return (
    members.length <= MOST_MEMBERS &&
    new Set(members).size === members.length &&
    members.every((id) => AGENT_ID.test(id))
  );
}

function isSound(value: string): boolean {
  return value.length <= 255 && SOUND.test(value) && !value.split('/').includes('..');
}
