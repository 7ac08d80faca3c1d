import { fail } from '@callmesh/runtime';
import { isOutside, lookUp } from '../dialled.ts';
import type { Directory } from '../directory.ts';
import type { Agent, Did, FunctionName, Tenant, Trunk } from '../model.ts';
import { toE164 } from '../numbers/e164.ts';

/** How a destination is said: as dialled, or by what it is. */
export interface Asked {
  readonly as: 'user' | 'agent' | 'number' | 'trunk' | 'room';
  readonly value: string;
}

/** What answers a destination. */
export type Meaning =
  | { readonly kind: 'agent'; readonly agent: Agent }
  | { readonly kind: 'ring-group'; readonly groups: readonly (readonly Agent[])[] }
  | { readonly kind: 'conference'; readonly room: string }
  | { readonly kind: 'announcement'; readonly source: string }
  | { readonly kind: 'voicemail'; readonly agent: Agent }
  | { readonly kind: 'external'; readonly number: string }
  | { readonly kind: 'trunk'; readonly trunk: Trunk; readonly number: string }
  | { readonly kind: 'control' | 'echo' | 'own-voicemail' };

export interface Understood {
  readonly meaning: Meaning;
  /** What the number's owner says its calls are for. */
  readonly function: FunctionName | undefined;
  /** How it was understood, for a person. */
  readonly why: string;
}

/** A number that leads to a number that leads to a number ...: a circle. */
const MOST_STEPS = 4;

/**
 * What a destination is for this tenant. Errors: unknown_number, unknown_agent,
 * agent_disabled, invalid_argument for a room or trunk that cannot be one.
 */
export function understand(asked: Asked, tenant: Tenant, directory: Directory, steps = 0): Understood {
  if (steps > MOST_STEPS) throw fail('unknown_number', 'its numbers lead to each other in a circle');
  switch (asked.as) {
    case 'agent':
      return plain(oneAgent(directory.agent(tenant.id, asked.value)), 'agent');
    case 'room':
      if (!/^[A-Za-z0-9._-]{1,64}$/.test(asked.value))
        throw fail('invalid_argument', 'expected 1-64 of A-Z a-z 0-9 . _ -', { field: 'dialled.room' });
      return plain({ kind: 'conference', room: asked.value }, 'conference room');
    case 'trunk':
      return plain(atTrunk(asked.value, '', tenant, directory), 'named trunk');
    case 'number':
      if (toE164(asked.value) === undefined)
        throw fail('unknown_number', 'expected an E.164 number', { field: 'dialled.number' });
      return dialled(asked.value, tenant, directory, steps);
    case 'user':
      return dialled(asked.value, tenant, directory, steps);
  }
}

function plain(meaning: Meaning, why: string): Understood {
  return { meaning, function: undefined, why };
}

function dialled(said: string, tenant: Tenant, directory: Directory, steps: number): Understood {
  const found = lookUp(said, tenant.id, directory);
  const { user, did, agent, room, service, pbx } = found;
  if (did) return ofNumber(did, tenant, directory, steps);
  if (room !== undefined) return plain({ kind: 'conference', room }, 'conference room');
  if (agent) return plain(oneAgent(agent), user === agent.username ? 'user name' : 'extension');
  if (service) return plain({ kind: service }, 'service code');
  if (pbx) return plain({ kind: 'trunk', trunk: pbx, number: user }, `number of ${pbx.id}`);
  if (isOutside(found) && toE164(user) !== undefined)
    return plain({ kind: 'external', number: user }, 'outside number');
  throw fail('unknown_number', 'no number, extension, user or room of the tenant, and no outside number', {
    field: 'dialled',
  });
}

function ofNumber(did: Did, tenant: Tenant, directory: Directory, steps: number): Understood {
  if (did.destinationKind === 'external') {
    const next = understand({ as: 'number', value: did.destination }, tenant, directory, steps + 1);
    return { ...next, function: did.function, why: `called number, ${next.why}` };
  }
  return { meaning: destinationOf(did, tenant, directory), function: did.function, why: 'called number' };
}

function destinationOf(did: Did, tenant: Tenant, directory: Directory): Meaning {
  const { destinationKind: kind, destination } = did;
  switch (kind) {
    case 'agent':
      return oneAgent(directory.agentById(destination));
    case 'voicemail':
      return { kind, agent: known(directory.agentById(destination)) };
    case 'ring-group':
      return ringGroup(destination, directory);
    case 'conference':
      return { kind, room: destination };
    case 'announcement':
      return { kind, source: destination };
    case 'trunk':
      return atTrunk(destination, did.number, tenant, directory);
    case 'control':
      return { kind };
    case 'external':
      throw fail('internal', 'an external number is followed, not reached');
  }
}

function oneAgent(found: Agent | undefined): Meaning {
  const agent = known(found);
  if (!agent.enabled) throw fail('agent_disabled', 'the called agent is disabled');
  return { kind: 'agent', agent };
}

function known(agent: Agent | undefined): Agent {
  if (!agent) throw fail('unknown_agent', 'no such agent', { field: 'dialled' });
  return agent;
}

/** "a,b|c": a and b at once, then c. Who is disabled is left out. */
function ringGroup(destination: string, directory: Directory): Meaning {
  const groups = destination
    .split('|')
    .map((ids) => ids.split(',').flatMap((id) => directory.agentById(id.trim()) ?? []))
    .map((agents) => agents.filter(({ enabled }) => enabled))
    .filter((agents) => agents.length > 0);
  if (groups.length === 0) throw fail('agent_disabled', 'nobody of the ring group may be called');
  return { kind: 'ring-group', groups };
}

/** "<trunk id>/<number>"; without a number the one that was called. */
function atTrunk(destination: string, called: string, tenant: Tenant, directory: Directory): Meaning {
  const [id = '', number = called] = destination.split('/', 2);
  const trunk = directory.trunk(id);
  if (!trunk || trunk.tenantId !== tenant.id)
    throw fail('unknown_trunk', `tenant ${tenant.id} has no trunk ${id}`, { field: 'dialled.trunk' });
  if (!/^\+?[0-9*#]{1,32}$/.test(number))
    throw fail('invalid_argument', 'expected "<trunk id>/<number>"', { field: 'dialled.trunk' });
  return { kind: 'trunk', trunk, number };
}
