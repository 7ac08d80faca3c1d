import type { Kind, NumberRule, Resource, Trunk } from '@callmesh/proto/tenant';
import type { DirectoryItem, DirectoryKind } from '../domain/directory.ts';
import type { DestinationKind, Direction, Trunk as DomainTrunk, Party } from '../domain/model.ts';
import { functionFrom, roleFrom, shortName } from './proto.ts';

/** A resource of the registry as decisions know it; undefined for what they do not need. */
export function itemFrom(resource: Resource): DirectoryItem | undefined {
  const held = resource.value;
  switch (held?.$case) {
    case 'tenant':
      return { kind: 'tenant', value: held.value };
    case 'nodeGroup':
      return { kind: 'group', value: { id: held.value.id, strategy: held.value.strategy } };
    case 'appNode':
      return { kind: 'placement', value: held.value };
    case 'tenantApp': {
      const { id, tenantId, groupId, role, function: fn } = held.value;
      const [name, nodeRole] = [functionFrom(fn), roleFrom(role)];
      return (
        name && nodeRole && { kind: 'link', value: { id, tenantId, groupId, role: nodeRole, function: name } }
      );
    }
    case 'agent':
      return { kind: 'agent', value: held.value };
    case 'did': {
      const destinationKind = shortName(held.value.destinationKind, 'DESTINATION_KIND_') as DestinationKind;
      return {
        kind: 'did',
        value: { ...held.value, function: functionFrom(held.value.function), destinationKind },
      };
    }
    case 'trunk':
      return { kind: 'trunk', value: trunkFrom(held.value) };
    case 'numberRule':
      return ruleFrom(held.value);
    default:
      return undefined;
  }
}

function trunkFrom(trunk: Trunk): DomainTrunk {
  return {
    ...trunk,
    kind: shortName(trunk.kind, 'TRUNK_KIND_') === 'carrier' ? 'carrier' : 'hybrid',
    // One whose proof is not understood must not be let in by its address alone.
    auth: (shortName(trunk.auth, 'TRUNK_AUTH_') as DomainTrunk['auth'] | undefined) ?? 'tls',
    mediaAnchor:
      (shortName(trunk.mediaAnchor, 'MEDIA_ANCHOR_') as DomainTrunk['mediaAnchor'] | undefined) ?? 'auto',
    function: functionFrom(trunk.function),
    weight: trunk.weight || 1,
    // What is not understood is the narrower: the tenant's own numbers, asserted as most carriers want it.
    callerPolicy: shortName(trunk.callerPolicy, 'CALLER_POLICY_') === 'any' ? 'any' : 'own',
    identityHeader:
      (shortName(trunk.identityHeader, 'IDENTITY_HEADER_') as DomainTrunk['identityHeader'] | undefined) ??
      'p-asserted-identity',
  };
}

function ruleFrom(rule: NumberRule): DirectoryItem | undefined {
  const direction = shortName(rule.direction, 'DIRECTION_') as Direction | undefined;
  const party = (shortName(rule.party, 'PARTY_') as Party | undefined) ?? 'called';
  return direction && { kind: 'rule', value: { ...rule, direction, party } };
}

const KINDS: Partial<Record<Kind, DirectoryKind>> = {
  KIND_TENANT: 'tenant',
  KIND_NODE_GROUP: 'group',
  KIND_APP_NODE: 'placement',
  KIND_TENANT_APP: 'link',
  KIND_AGENT: 'agent',
  KIND_DID: 'did',
  KIND_TRUNK: 'trunk',
  KIND_NUMBER_RULE: 'rule',
};

export function kindFrom(kind: Kind): DirectoryKind | undefined {
  return KINDS[kind];
}
