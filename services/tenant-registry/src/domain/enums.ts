import { NodeRole } from '@callmesh/proto/node';
import {
  CallerPolicy,
  DestinationKind,
  Direction,
  FunctionMessage,
  IdentityHeader,
  MediaAnchor,
  Party,
  TrunkAuth,
  TrunkKind,
} from '@callmesh/proto/tenant';
import { choice } from './fields.ts';

/**
 * Enums as people write them: "outbound-bot" for FUNCTION_OUTBOUND_BOT. The same
 * words stand in YAML documents, in the database and in derived ids.
 */
export interface EnumWords {
  readonly words: readonly [string, ...string[]];
  toWord(value: string): string;
  fromWord(word: string): string;
}

function enumWords(values: Record<string, string>, prefix: string, only?: readonly string[]): EnumWords {
  const byWord = new Map<string, string>();
  for (const value of Object.values(values)) {
    if (!value.startsWith(prefix)) continue;
    const word = value.slice(prefix.length).toLowerCase().replaceAll('_', '-');
    if (word !== 'unspecified' && (!only || only.includes(word))) byWord.set(word, value);
  }
  const byValue = new Map([...byWord].map(([word, value]) => [value, word]));
  return {
    words: [...byWord.keys()] as [string, ...string[]],
    toWord: (value) => byValue.get(value) ?? value,
    fromWord: (word) => byWord.get(word) ?? `${prefix}UNSPECIFIED`,
  };
}

/** Roles a node group can have: edges are in none. */
export const roles = enumWords(NodeRole, 'NODE_ROLE_', ['router', 'media', 'tandem']);
export const functions = enumWords(FunctionMessage, 'FUNCTION_');
export const destinationKinds = enumWords(DestinationKind, 'DESTINATION_KIND_');
export const trunkKinds = enumWords(TrunkKind, 'TRUNK_KIND_');
export const trunkAuths = enumWords(TrunkAuth, 'TRUNK_AUTH_');
export const mediaAnchors = enumWords(MediaAnchor, 'MEDIA_ANCHOR_');
export const callerPolicies = enumWords(CallerPolicy, 'CALLER_POLICY_');
export const identityHeaders = enumWords(IdentityHeader, 'IDENTITY_HEADER_');
export const directions = enumWords(Direction, 'DIRECTION_');
export const parties = enumWords(Party, 'PARTY_');

/** The schema of an enum field. */
export function word(words: EnumWords) {
  return choice(words.words);
}
