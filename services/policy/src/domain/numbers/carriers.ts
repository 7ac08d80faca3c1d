import type { Directory } from '../directory.ts';
import type { Random, Trunk } from '../model.ts';
import type { Usage } from '../usage.ts';
import { longestPrefix } from './e164.ts';

/**
 * The trunks that could carry a call out, in the order they are tried: by priority,
 * lower first; those of one priority by lot, each as likely as its weight.
 */
export function inOrder(trunks: readonly Trunk[], random: Random): Trunk[] {
  const order: Trunk[] = [];
  const left = [...trunks];
  while (left.length > 0) {
    const first = Math.min(...left.map(({ priority }) => priority));
    const equals = left.filter(({ priority }) => priority === first);
    const drawn = draw(equals, random);
    left.splice(left.indexOf(drawn), 1);
    order.push(drawn);
  }
  return order;
}

function draw(trunks: readonly Trunk[], random: Random): Trunk {
  let rest = random() * trunks.reduce((sum, { weight }) => sum + weight, 0);
  for (const trunk of trunks) {
    rest -= trunk.weight;
    if (rest < 0) return trunk;
  }
  return trunks.at(-1)!;
}

/** Why a trunk takes no call out to this number now, and whether it may later; undefined: it does. */
export function whyNotTrunk(
  trunk: Trunk,
  number: string,
  usage: Usage,
  now: number,
): { readonly why: string; readonly passing: boolean } | undefined {
  if (!trunk.enabled) return { why: 'disabled', passing: false };
  if (trunk.contactUri === '') return { why: 'it only calls in: it has no contact_uri', passing: false };
  const { servedPrefixes: served, maxChannels, maxCps } = trunk;
  if (served.length > 0 && !longestPrefix(served, number))
    return { why: 'it does not serve this number', passing: false };
  const calls = usage.callsOfTrunk(trunk.id);
  if (maxChannels > 0 && calls >= maxChannels && usage.isCurrent(now))
    return { why: `${calls} of ${maxChannels} channels in use`, passing: true };
  const starts = usage.startsOfTrunk(trunk.id, now);
  if (maxCps > 0 && starts >= maxCps)
    return { why: `${starts} of ${maxCps} calls started this second`, passing: true };
  return undefined;
}

/** A tenant's trunks to carriers, in order of id. */
export function carriersOf(tenantId: string, directory: Directory): Trunk[] {
  return directory.trunksOf(tenantId).filter(({ kind }) => kind === 'carrier');
}
