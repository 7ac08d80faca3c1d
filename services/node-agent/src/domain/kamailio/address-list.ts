import { type Trunk, TrunkAuth, TrunkKind } from '@callmesh/proto/tenant';
import { trunkTag } from './trunk-tag.ts';

interface Source {
  readonly ip: string;
  readonly mask: number;
  readonly port: number;
}

/**
 * Lines of the address file, `setid ip mask port tag`: trunks known by where
 * they call from. An address that trunks of several owners claim is left out:
 * without policy nobody can tell whose the call is.
 */
export function addressList(trunks: readonly Trunk[], setOf: (trunk: Trunk) => number | undefined): string[] {
  const lines = new Map<string, string>();
  const shared = new Set<string>();
  for (const trunk of trunks) {
    const set = setOf(trunk);
    if (trunk.auth !== TrunkAuth.TRUNK_AUTH_ADDRESS || trunk.kind !== TrunkKind.TRUNK_KIND_HYBRID) continue;
    if (set === undefined) continue;
    for (const text of trunk.sourceAddresses) {
      const source = parseSource(text);
      if (!source) continue;
      const key = `${source.ip} ${source.mask} ${source.port}`;
      if (lines.has(key)) shared.add(key);
      lines.set(key, `${set} ${key} ${trunkTag(trunk)}`);
    }
  }
  for (const key of shared) lines.delete(key);
  return [...lines.values()].sort();
}

/** The registry's canonical forms: "<ip>", "<ip>:<port>", "[<ipv6>]:<port>", "<ip>/<prefix>". */
function parseSource(text: string): Source | undefined {
  const v6 = text.includes('[') || text.split(':').length > 2;
  const all = v6 ? 128 : 32;
  const [, network, prefix] = /^([0-9a-f:.]+)\/(\d{1,3})$/i.exec(text) ?? [];
  if (network) return Number(prefix) <= all ? { ip: network, mask: Number(prefix), port: 0 } : undefined;
  const [, bracketed, plain, port] = /^(?:\[([0-9a-f:.]+)\]|([\d.]+)):(\d{1,5})$/i.exec(text) ?? [];
  const ip = bracketed ?? plain;
  if (ip) return Number(port) <= 65_535 ? { ip, mask: all, port: Number(port) } : undefined;
  return /^[0-9a-f:.]+$/i.test(text) ? { ip: text, mask: all, port: 0 } : undefined;
}
