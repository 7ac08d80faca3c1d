import { createHash } from 'node:crypto';
import { splitList } from './message.ts';

export interface Credentials {
  username: string;
  password: string;
}

export interface Challenge {
  realm: string;
  nonce: string;
  opaque?: string;
  qop?: string;
  algorithm: string;
  stale: boolean;
}

/** Reads WWW-Authenticate or Proxy-Authenticate; undefined unless it is a Digest challenge we can answer. */
export function parseChallenge(value: string): Challenge | undefined {
  const match = /^Digest\s+(.*)$/is.exec(value.trim());
  if (!match) return undefined;
  const found = new Map<string, string>();
  for (const part of splitList(match[1] as string)) {
    const equals = part.indexOf('=');
    if (equals > 0)
      found.set(part.slice(0, equals).trim().toLowerCase(), unquote(part.slice(equals + 1).trim()));
  }
  const nonce = found.get('nonce');
  const algorithm = found.get('algorithm') ?? 'MD5';
  if (nonce === undefined || !hashName(algorithm)) return undefined;
  const challenge: Challenge = {
    realm: found.get('realm') ?? '',
    nonce,
    algorithm,
    stale: found.get('stale')?.toLowerCase() === 'true',
  };
  const opaque = found.get('opaque');
  if (opaque !== undefined) challenge.opaque = opaque;
  if (
    found
      .get('qop')
      ?.split(',')
      .some((q) => q.trim() === 'auth')
  )
    challenge.qop = 'auth';
  return challenge;
}

/** The Authorization value for a challenge (RFC 2617 and 7616). `cnonce` is only used with qop. */
export function authorize(
  challenge: Challenge,
  credentials: Credentials,
  request: { method: string; uri: string },
  cnonce: string,
  count = 1,
): string {
  const hash = hasher(challenge.algorithm);
  const ha1 = hash(`${credentials.username}:${challenge.realm}:${credentials.password}`);
  const ha2 = hash(`${request.method}:${request.uri}`);
  const nc = count.toString(16).padStart(8, '0');
  const response = challenge.qop
    ? hash(`${ha1}:${challenge.nonce}:${nc}:${cnonce}:${challenge.qop}:${ha2}`)
    : hash(`${ha1}:${challenge.nonce}:${ha2}`);
  const parts = [
    `username="${credentials.username}"`,
    `realm="${challenge.realm}"`,
    `nonce="${challenge.nonce}"`,
    `uri="${request.uri}"`,
    `response="${response}"`,
    `algorithm=${challenge.algorithm}`,
  ];
  if (challenge.opaque !== undefined) parts.push(`opaque="${challenge.opaque}"`);
  if (challenge.qop) parts.push(`qop=${challenge.qop}`, `nc=${nc}`, `cnonce="${cnonce}"`);
  return `Digest ${parts.join(', ')}`;
}

function hashName(algorithm: string): string | undefined {
  return { md5: 'md5', 'sha-256': 'sha256' }[algorithm.toLowerCase()];
}

function hasher(algorithm: string): (text: string) => string {
  const name = hashName(algorithm) ?? 'md5';
  return (text) => createHash(name).update(text).digest('hex');
}

function unquote(value: string): string {
  return value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, '$1') : value;
}
