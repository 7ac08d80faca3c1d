import { type Tenant, type Trunk, TrunkAuth, TrunkKind } from '@callmesh/proto/tenant';
import type { Directory } from './directory.ts';
import { addressesOf, type NodeRow, type NodeStatusWord } from './node-row.ts';
import { addressOfUri } from './sip-address.ts';
import { trunkTag } from './trunk-tag.ts';

/** A table of Kamailio's memory; a number is stored as an integer, a string as a string. */
export type Table = ReadonlyMap<string, string | number>;

/** Which of two nodes at one address counts: the one that may do more. */
const RANK: Record<NodeStatusWord, number> = { up: 0, draining: 1, suspect: 2, drained: 3, down: 4 };

/** `ip:port` -> `<status>|<node>|<epoch>` of every node. */
export function nodesTable(rows: readonly NodeRow[]): Table {
  const table = new Map<string, string>();
  // Later entries win, so the best come last.
  const worstFirst = [...rows].sort((a, b) => RANK[b.status] - RANK[a.status]);
  for (const { node, status } of worstFirst) {
    for (const address of addressesOf(node)) table.set(address, `${status}|${node.id}|${node.epoch}`);
  }
  return table;
}

/** `count` and the base URLs by number. */
export function policyTable(urls: readonly string[]): Table {
  const sorted = [...new Set(urls)].sort();
  return new Map<string, string | number>([
    ...sorted.map((url, index): [string, string] => [String(index), url]),
    ['count', sorted.length],
  ]);
}

/** `host:port` of a trunk's contact -> whose it is: where a node may send a call out. */
export function trunkDestTable(trunks: readonly Trunk[]): Table {
  const table = new Map<string, string>();
  const shared = new Set<string>();
  for (const trunk of trunks) {
    if (trunk.kind !== TrunkKind.TRUNK_KIND_HYBRID) continue;
    const address = addressOfUri(trunk.contactUri);
    if (!address) continue;
    if (table.has(address) && owner(table.get(address)!) !== trunk.tenantId) shared.add(address);
    table.set(address, trunkTag(trunk));
  }
  // An address two tenants claim is nobody's: a call must not be booked on the wrong one.
  for (const address of shared) table.delete(address);
  return table;
}

/** `user@realm` -> digest hash and owner; `@realm` marks realms that are challenged. TLS trunks have no fallback. */
export function trunkAuthTable(
  trunks: readonly Trunk[],
  setOf: (trunk: Trunk) => number | undefined,
  directory: Directory,
): Table {
  const table = new Map<string, string>();
  for (const trunk of trunks) {
    const set = setOf(trunk);
    const realm = trunk.realm || directory.tenants.get(trunk.tenantId)?.domain;
    if (trunk.auth !== TrunkAuth.TRUNK_AUTH_DIGEST || trunk.kind !== TrunkKind.TRUNK_KIND_HYBRID) continue;
    if (set === undefined || !realm || !trunk.username || !trunk.ha1Md5) continue;
    table.set(`${trunk.username}@${realm}`, `${trunk.ha1Md5}|${set}|${trunkTag(trunk)}`);
    table.set(`@${realm}`, '1');
  }
  return table;
}

/** Origins of the pages any tenant has agents on -> `1`: who may open a WebSocket at all. Whose agent may, policy says. */
export function originsTable(directory: Directory): Table {
  const origins = [...directory.tenants.values()].flatMap(({ webOrigins }) => webOrigins);
  return new Map(origins.sort().map((origin) => [origin, '1']));
}

/** Tenant -> set of the routers of its agents. */
export function tenantsTable(
  tenants: readonly Tenant[],
  setOf: (tenant: Tenant) => number | undefined,
): Table {
  return new Map(
    tenants.flatMap((tenant): [string, string][] => {
      const set = setOf(tenant);
      return set === undefined ? [] : [[tenant.id, String(set)]];
    }),
  );
}

function owner(tag: string): string {
  return tag.slice(0, tag.indexOf('|'));
}
