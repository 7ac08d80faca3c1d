import { type Ip, maskTo, parseIp, parseSource } from './ip.ts';

/**
 * Finds who is at a source address among thousands: ip:port before ip before the
 * longest prefix. A look-up costs one map access per prefix length in use.
 */
export class SourceIndex<T> {
  readonly #ports = new Map<string, Set<T>>();
  readonly #prefixes = {
    32: new Map<number, Map<bigint, Set<T>>>(),
    128: new Map<number, Map<bigint, Set<T>>>(),
  };
  /** Prefix lengths in use, longest first. */
  readonly #lengths: Record<32 | 128, number[]> = { 32: [], 128: [] };

  /** Enters an item or takes it out. What cannot be parsed is left out: the registry refuses it before it comes here. */
  change(source: string, item: T, enter: boolean): void {
    const spec = parseSource(source);
    if (!spec) return;
    if (spec.port !== undefined) changeSet(this.#ports, portKey(spec, spec.port), item, enter);
    else changeSet(this.#table(spec.bits, spec.prefix), spec.value, item, enter);
  }

  /** Who claims the most specific match; empty when nobody does. */
  find(address: string, port: number): ReadonlySet<T> {
    const ip = parseIp(address);
    if (!ip) return new Set();
    const exact = this.#ports.get(portKey(ip, port));
    if (exact) return exact;
    for (const prefix of this.#lengths[ip.bits]) {
      const held = this.#prefixes[ip.bits].get(prefix)!.get(maskTo(ip, prefix));
      if (held) return held;
    }
    return new Set();
  }

  #table(bits: 32 | 128, prefix: number): Map<bigint, Set<T>> {
    const tables = this.#prefixes[bits];
    const known = tables.get(prefix);
    if (known) return known;
    const table = new Map<bigint, Set<T>>();
    tables.set(prefix, table);
    this.#lengths[bits] = [...tables.keys()].sort((a, b) => b - a);
    return table;
  }
}

function changeSet<K, T>(sets: Map<K, Set<T>>, key: K, item: T, enter: boolean): void {
  const items = sets.get(key) ?? new Set<T>();
  if (enter) items.add(item);
  else items.delete(item);
  if (items.size > 0) sets.set(key, items);
  else sets.delete(key);
}

function portKey(ip: Ip, port: number): string {
  return `${ip.bits}/${ip.value}/${port}`;
}
