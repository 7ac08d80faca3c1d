import { fail } from '@callmesh/runtime';
import type { Directory } from '../directory.ts';
import type { Trunk } from '../model.ts';
import type { Caller } from '../numbers/caller.ts';
import { fromTrunk } from '../numbers/inbound.ts';
import type { Question } from './question.ts';

/** What a calling number may be written with, to go on as it is. */
const NUMBER = /^[+0-9*#A-Za-z._-]{1,64}$/;

/**
 * The carrier's trunk a call came by: the one whose password it gave, else the one at
 * its address. Errors: unknown_trunk, unauthenticated for a login from elsewhere.
 */
export function trunkOfCall({ login, sourceAddress, sourcePort }: Question, directory: Directory): Trunk {
  const { trunks } = directory;
  const here = trunks.at(sourceAddress, sourcePort);
  const carriers =
    login.user === ''
      ? here.filter(({ auth }) => auth === 'address')
      : trunks.byLogin(login.user, login.realm);
  const found = carriers.filter(({ kind }) => kind === 'carrier');
  const trunk = found.find(({ enabled }) => enabled) ?? found[0];
  if (!trunk || found.some(({ tenantId }) => tenantId !== trunk.tenantId))
    throw fail('unknown_trunk', 'no carrier is known there', { field: 'source_address' });
  if (login.user !== '' && trunk.sourceAddresses.length > 0 && !here.includes(trunk))
    throw fail('unauthenticated', `trunk ${trunk.id} may not call from this address`);
  return trunk;
}

/** Who calls, in the platform's words. */
export function callerFrom({ caller, anonymous }: Question, trunk: Trunk, directory: Directory): Caller {
  const { number } = fromTrunk(caller, trunk, 'calling', directory);
  return { number: NUMBER.test(number) ? number : 'unknown', anonymous };
}
