import type { Directory } from '../directory.ts';
import type { Trunk } from '../model.ts';
import { longestPrefix, toE164 } from './e164.ts';
import { type Rewritten, rewrite } from './rules.ts';

/** Who calls, as the leg that calls says it. */
export interface Caller {
  /** E.164 number, user name, or what else was said. */
  readonly number: string;
  /** True when the caller wants to stay unknown (RFC 3323). */
  readonly anonymous: boolean;
}

/** What a trunk is told of the caller. */
export interface Presented {
  /** In From; empty: anonymous. */
  readonly calling: Rewritten;
  /** In P-Asserted-Identity or Remote-Party-ID; empty: none is sent. */
  readonly asserted: string;
  /** In Privacy (RFC 3323); empty: none is sent. */
  readonly privacy: '' | 'id';
}

/**
 * The calling number of a call out through a trunk. What a carrier may not be shown
 * becomes the trunk's own number; a caller who wants to stay unknown is hidden from
 * whoever is called, and asserted to a carrier that is given identities, for it has
 * to keep the number to itself (RFC 3325 section 9.3). The tenant's own PBX is told
 * who calls as it is.
 */
export function presentCaller(caller: Caller, trunk: Trunk, directory: Directory): Presented {
  const carrier = trunk.kind === 'carrier';
  const shown = carrier
    ? permitted(caller.number, trunk, directory)
    : (toE164(caller.number) ?? caller.number);
  const calling = rewrite(shown, shown === '' ? [] : directory.rules(trunk.id, 'outbound', 'calling'));
  const asserted = carrier && trunk.identityHeader !== 'none' ? calling.number : '';
  // Without any number to show there is nobody to be known.
  const hidden = caller.anonymous || shown === '';
  return hidden
    ? { calling: { ...calling, number: '' }, asserted, privacy: 'id' }
    : { calling, asserted, privacy: '' };
}

function permitted(said: string, trunk: Trunk, directory: Directory): string {
  const number = toE164(said);
  const may =
    number !== undefined && (trunk.callerPolicy === 'any' || isOwn(number, trunk.tenantId, directory));
  return may ? number : trunk.callerNumber || (directory.firstNumber(trunk.tenantId) ?? '');
}

/** The tenant's numbers: those it has here, and those of its own PBXs. */
function isOwn(number: string, tenantId: string, directory: Directory): boolean {
  if (directory.did(number)?.tenantId === tenantId) return true;
  return directory
    .trunksOf(tenantId)
    .some(({ kind, servedPrefixes }) => kind === 'hybrid' && longestPrefix(servedPrefixes, number));
}
