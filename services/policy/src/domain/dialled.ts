import type { Directory } from './directory.ts';
import type { Agent, Did, Trunk } from './model.ts';
import { longestPrefix, toE164 } from './numbers/e164.ts';

/** What a number or name is to a tenant; none of these: somebody outside, or nothing. */
export interface Dialled {
  /** E.164 where it is such a number, else as it was said. */
  readonly user: string;
  readonly did?: Did | undefined;
  readonly agent?: Agent | undefined;
  /** Conference room of the tenant. */
  readonly room?: string | undefined;
  /** What every tenant can dial. */
  readonly service?: 'echo' | 'own-voicemail' | undefined;
  /** The tenant's PBX that has this number. */
  readonly pbx?: Trunk | undefined;
}

/** What a tenant can dial that gives these no other meaning. */
const SERVICES: Readonly<Record<string, Partial<Dialled>>> = {
  '9196': { service: 'echo' },
  '*97': { service: 'own-voicemail' },
  '3000': { room: '3000' },
};

/**
 * Looks a number or name up among what is the tenant's own; another tenant's number
 * is a number like any other outside.
 */
export function lookUp(said: string, tenantId: string, directory: Directory): Dialled {
  const number = toE164(said);
  const user = number ?? said;
  const did = directory.did(user);
  if (did?.tenantId === tenantId)
    return { user, did, room: did.destinationKind === 'conference' ? did.destination : undefined };
  if (directory.isRoom(tenantId, user)) return { user, room: user };
  const agent = directory.agentDialled(tenantId, user);
  if (agent) return { user, agent };
  const service = Object.hasOwn(SERVICES, user) ? SERVICES[user] : undefined;
  if (service) return { user, ...service };
  return { user, pbx: number === undefined ? undefined : pbxWith(number, tenantId, directory) };
}

/** True when it leads to somebody, and to nobody of the tenant: then it has to be a destination the tenant may call. */
export function isOutside({ user, did, agent, room, service, pbx }: Dialled): boolean {
  return user !== '' && !did && !agent && !service && !pbx && room === undefined;
}

/** The tenant's PBX whose prefixes fit this number best; of equals the one that is tried first. */
function pbxWith(number: string, tenantId: string, directory: Directory): Trunk | undefined {
  let best: { trunk: Trunk; length: number } | undefined;
  for (const trunk of directory.trunksOf(tenantId)) {
    if (trunk.kind !== 'hybrid' || trunk.contactUri === '') continue;
    const length = longestPrefix(trunk.servedPrefixes, number)?.length ?? 0;
    if (length === 0 || length < (best?.length ?? 0)) continue;
    if (!best || length > best.length || trunk.priority < best.trunk.priority) best = { trunk, length };
  }
  return best?.trunk;
}
