import type { Directory } from '../directory.ts';
import type { Party, Trunk } from '../model.ts';
import { toE164 } from './e164.ts';
import { type Rewritten, rewrite } from './rules.ts';

/** A number as a trunk says it, in the platform's words: after the trunk's rules, E.164 where it is such a number. */
export function fromTrunk(said: string, trunk: Trunk, party: Party, directory: Directory): Rewritten {
  const { number, rule } = rewrite(said, directory.rules(trunk.id, 'inbound', party));
  return { number: toE164(number) ?? number, rule };
}
