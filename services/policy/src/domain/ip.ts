/** An IP address as a number of its family; IPv4-mapped IPv6 counts as IPv4. */
export interface Ip {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

export interface SourceSpec extends Ip {
  /** Leading bits that count: all of them for a single address. */
  readonly prefix: number;
  /** Only this port; undefined: any. */
  readonly port: number | undefined;
}

const MAPPED = 0xffffn << 32n;
const V4_MASK = 0xffffffffn;

/** Parses an IPv4 or IPv6 address (RFC 4291 section 2.2), brackets allowed; undefined when it is neither. */
export function parseIp(text: string): Ip | undefined {
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
  if (!bare.includes(':')) {
    const value = parseV4(bare);
    return value === undefined ? undefined : { bits: 32, value };
  }
  const value = parseV6(bare);
  if (value === undefined) return undefined;
  return value >> 32n === MAPPED >> 32n ? { bits: 32, value: value & V4_MASK } : { bits: 128, value };
}

function parseV4(text: string): bigint | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = value * 256 + Number(part);
  }
  return BigInt(value);
}

function parseV6(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = groups(halves[0]!);
  const tail = halves.length === 2 ? groups(halves[1]!) : [];
  if (!head || !tail) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const all = [...head, ...new Array<number>(missing).fill(0), ...tail];
  return all.reduce((value, group) => (value << 16n) | BigInt(group), 0n);
}

/** The 16-bit groups of one side of "::"; a dotted quad at the end is two of them. */
function groups(text: string): number[] | undefined {
  if (text === '') return [];
  const result: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (part.includes('.') && index === parts.length - 1) {
      const quad = parseV4(part);
      if (quad === undefined) return undefined;
      result.push(Number(quad >> 16n), Number(quad & 0xffffn));
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) result.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return result;
}

/** Parses "<ip>", "<ip>:<port>", "[<ipv6>]:<port>" or "<ip>/<prefix>"; undefined when it is none of them. */
export function parseSource(text: string): SourceSpec | undefined {
  const single = parseIp(text);
  if (single) return { ...single, prefix: single.bits, port: undefined };
  const [, address, prefix] = /^(.+)\/(\d{1,3})$/.exec(text) ?? [];
  if (address !== undefined) {
    const ip = parseIp(address);
    if (!ip || Number(prefix) > ip.bits) return undefined;
    return { bits: ip.bits, value: maskTo(ip, Number(prefix)), prefix: Number(prefix), port: undefined };
  }
  const [, host, port] = /^(\[.+\]|[0-9.]+):(\d{1,5})$/.exec(text) ?? [];
  const ip = host === undefined ? undefined : parseIp(host);
  if (!ip || Number(port) > 65535) return undefined;
  return { ...ip, prefix: ip.bits, port: Number(port) };
}

/** The address with all but its leading bits cleared. */
export function maskTo(ip: Ip, prefix: number): bigint {
  const rest = BigInt(ip.bits - prefix);
  return (ip.value >> rest) << rest;
}
