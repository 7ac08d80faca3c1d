import { createHash } from 'node:crypto';
import { type Trunk, TrunkAuth, TrunkKind } from '@callmesh/proto/tenant';

/** A carrier's trunk as a gateway of FreeSWITCH. */
export interface Gateway {
  readonly id: string;
  /** Networks its calls come from, where the address alone is its proof. */
  readonly cidrs: readonly string[];
  /** Parameters of the gateway; undefined when it only calls in. */
  readonly params: Readonly<Record<string, string>> | undefined;
}

/** Seconds between two OPTIONS to a carrier: a dead one is noticed before a call is. */
const PING_S = 15;
/** Seconds a registration is asked for, and after which a refused one is tried again. */
const REGISTER = { 'expire-seconds': '600', 'retry-seconds': '15' };

/** The gateways of all carrier trunks in use, ordered by id; `secretOf` knows what is in no registry. */
export function gatewaysOf(
  trunks: readonly Trunk[],
  secretOf: (trunkId: string) => string | undefined,
): Gateway[] {
  return trunks
    .filter(({ kind, enabled }) => enabled && kind === TrunkKind.TRUNK_KIND_CARRIER)
    .map((trunk) => ({
      id: trunk.id,
      cidrs: trunk.auth === TrunkAuth.TRUNK_AUTH_ADDRESS ? networks(trunk.sourceAddresses) : [],
      params: trunk.contactUri === '' ? undefined : paramsOf(trunk, secretOf(trunk.id)),
    }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** FreeSWITCH's list knows networks only; which port a call came from is policy's to compare. */
function networks(addresses: readonly string[]): string[] {
  const found = addresses.map((address) => {
    const host = address.replace(/^\[([^\]]+)\](:\d+)?$/, '$1').replace(/^(\d+(?:\.\d+){3}):\d+$/, '$1');
    if (host.includes('/')) return host;
    return `${host}/${host.includes(':') ? 128 : 32}`;
  });
  return [...new Set(found)];
}

function paramsOf(trunk: Trunk, secret: string | undefined): Record<string, string> {
  const { host, transport } = contactOf(trunk.contactUri);
  return {
    proxy: host,
    ...(trunk.realm !== '' && { realm: trunk.realm }),
    username: trunk.username || 'callmesh',
    password: secret ?? '',
    register: String(trunk.register),
    ...(trunk.register && REGISTER),
    'register-transport': transport,
    'caller-id-in-from': 'true',
    ping: String(PING_S),
  };
}

/** "host:port" and transport of "sip:host:port;transport=udp". */
function contactOf(uri: string): { host: string; transport: string } {
  const [, user = '', host = ''] = /^sips?:([^@]*@)?([^;]+)/.exec(uri) ?? [];
  const transport = /;transport=(udp|tcp|tls)/.exec(uri)?.[1] ?? 'udp';
  return { host: `${user}${host}`, transport };
}

/** What a FreeSWITCH has of the carriers, as fingerprints: parameters hold secrets. */
export interface Told {
  readonly networks: string;
  /** By id, of those that are called. */
  readonly gateways: Readonly<Record<string, string>>;
}

export function toldOf(gateways: readonly Gateway[]): Told {
  const called = gateways.filter(({ params }) => params !== undefined);
  return {
    networks: fingerprint(gateways.map(({ id, cidrs }) => [id, cidrs])),
    gateways: Object.fromEntries(called.map(({ id, params }) => [id, fingerprint(params)])),
  };
}

/** What has to be done so that FreeSWITCH has these instead of those. */
export interface Change {
  readonly networks: boolean;
  /** Gateways that have to go: one that is there keeps its parameters through a rescan. */
  readonly gone: readonly string[];
  /** Gateways that have to come, those that changed among them. */
  readonly come: readonly string[];
}

export function changeBetween(before: Told, after: Told): Change {
  const differs = (id: string) => before.gateways[id] !== after.gateways[id];
  return {
    networks: before.networks !== after.networks,
    gone: Object.keys(before.gateways).filter(differs),
    come: Object.keys(after.gateways).filter(differs),
  };
}

/** What FreeSWITCH has while a change is on its way: of what is touched nobody knows. */
export function inDoubt(before: Told, { networks, gone, come }: Change): Told {
  const touched = Object.fromEntries([...gone, ...come].map((id) => [id, '']));
  return {
    networks: networks ? '' : before.networks,
    gateways: { ...before.gateways, ...touched },
  };
}

function fingerprint(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64url');
}
