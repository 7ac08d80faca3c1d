import ipaddr from 'ipaddr.js';
import { z } from 'zod';

const EXPECTED =
  'expected an IP address, "<ip>:<port>" ("[<ipv6>]:<port>") or a network such as 198.51.100.0/24';

/**
 * A trunk's source address in its one canonical form: "198.51.100.7",
 * "198.51.100.7:5060", "198.51.100.0/24", "2001:db8::1", "[2001:db8::1]:5060",
 * "2001:db8::/32" (RFC 5952). A network of one address becomes the address.
 */
export const sourceAddress = z.string(EXPECTED).transform((value, context) => {
  const result = canonicalAddress(value);
  if ('address' in result) return result.address;
  context.addIssue({ code: 'custom', message: result.expected });
  return z.NEVER;
});

type Canonical = { readonly address: string } | { readonly expected: string };

/** Brings an address into its canonical form, or says what was expected. */
export function canonicalAddress(value: string): Canonical {
  const network = /^([0-9a-fA-F:.]+)\/(\d{1,3})$/.exec(value);
  if (network) return canonicalNetwork(network[1]!, Number(network[2]));
  const withPort = /^(?:\[([0-9a-fA-F:.]+)\]|([\d.]+)):(\d{1,5})$/.exec(value);
  if (withPort) return canonicalEndpoint(withPort[1], withPort[2], Number(withPort[3]));
  const ip = parseIp(value);
  return ip ? usable(ip) : { expected: EXPECTED };
}

type Ip = ipaddr.IPv4 | ipaddr.IPv6;

/** Strict: ipaddr.js itself would take "1" or "0x7f.1" for an IPv4 address. */
function parseIp(value: string): Ip | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(value) && !/(^|\.)0\d/.test(value)) return ipaddr.IPv4.parse(value);
  if (value.includes(':') && ipaddr.IPv6.isValid(value) && !value.includes('%'))
    return ipaddr.IPv6.parse(value);
  return undefined;
}

function format(ip: Ip): string {
  return ip instanceof ipaddr.IPv6 ? ip.toRFC5952String() : ip.toString();
}

function usable(ip: Ip): Canonical {
  const range = ip.range();
  if (range === 'ipv4Mapped') return { expected: 'expected the IPv4 address itself, not its IPv6 form' };
  if (range === 'unspecified' || range === 'multicast' || range === 'broadcast')
    return { expected: `expected a unicast address, not a ${range} one` };
  return { address: format(ip) };
}

function canonicalEndpoint(v6: string | undefined, v4: string | undefined, port: number): Canonical {
  const ip = parseIp(v6 ?? v4 ?? '');
  if (!ip || (v6 !== undefined && ip.kind() === 'ipv4')) return { expected: EXPECTED };
  if (port < 1 || port > 65_535) return { expected: 'expected a port from 1 to 65535' };
  const plain = usable(ip);
  if (!('address' in plain)) return plain;
  return { address: ip.kind() === 'ipv6' ? `[${plain.address}]:${port}` : `${plain.address}:${port}` };
}

function canonicalNetwork(base: string, prefix: number): Canonical {
  const ip = parseIp(base);
  if (!ip) return { expected: EXPECTED };
  const bits = ip.kind() === 'ipv4' ? 32 : 128;
  // A trunk that is everybody would make every stranger this tenant.
  if (prefix < 1 || prefix > bits) return { expected: `expected a prefix length from 1 to ${bits}` };
  if (prefix === bits) return usable(ip);
  const family = ip.kind() === 'ipv4' ? ipaddr.IPv4 : ipaddr.IPv6;
  const network = format(family.networkAddressFromCIDR(`${base}/${prefix}`));
  if (network !== format(ip))
    return { expected: `expected the network's first address, ${network}/${prefix}` };
  return { address: `${network}/${prefix}` };
}
