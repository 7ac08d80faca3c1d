import { createHash, timingSafeEqual } from 'node:crypto';
import type { Credentials } from './model.ts';

/** A parsed Authorization header of the Digest scheme (RFC 7616 section 3.4). */
export interface DigestAuthorization {
  readonly username: string;
  readonly realm: string;
  readonly nonce: string;
  readonly uri: string;
  readonly response: string;
  readonly algorithm: 'MD5' | 'SHA-256';
  readonly cnonce: string;
  readonly nc: string;
}

const PARAMETER = /([a-z]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))\s*(?:,|$)\s*/iy;

/**
 * Parses the header's value. Undefined when it is not Digest, lacks a field, or
 * asks for what is not offered: without qop=auth nothing ties the answer to one
 * use of the nonce, so it is refused; auth-int and -sess are not offered.
 */
export function parseDigest(header: string): DigestAuthorization | undefined {
  const scheme = /^\s*digest\s+/i.exec(header);
  if (!scheme) return undefined;
  const fields = parameters(header, scheme[0].length);
  if (!fields) return undefined;
  const algorithm = (fields.get('algorithm') ?? 'MD5').toUpperCase();
  if (algorithm !== 'MD5' && algorithm !== 'SHA-256') return undefined;
  if (fields.get('qop')?.toLowerCase() !== 'auth' || fields.get('userhash')?.toLowerCase() === 'true')
    return undefined;
  const names = ['username', 'realm', 'nonce', 'uri', 'response', 'cnonce', 'nc'] as const;
  const found = Object.fromEntries(names.map((name) => [name, fields.get(name) ?? '']));
  if (names.some((name) => found[name] === '')) return undefined;
  return { ...(found as Record<(typeof names)[number], string>), algorithm };
}

/** The header's parameters by lower-case name; undefined when one comes twice or the syntax is broken. */
function parameters(header: string, from: number): Map<string, string> | undefined {
  const fields = new Map<string, string>();
  PARAMETER.lastIndex = from;
  let end = from;
  while (end < header.trimEnd().length) {
    const found = PARAMETER.exec(header);
    if (!found) return undefined;
    const name = found[1]!.toLowerCase();
    if (fields.has(name)) return undefined;
    fields.set(name, found[2]?.replace(/\\(.)/g, '$1') ?? found[3]!);
    end = PARAMETER.lastIndex;
  }
  return fields;
}

/** H(username:realm:password) that goes with the header's hash; empty when it is not known. */
export function ha1For(digest: DigestAuthorization, credentials: Credentials): string {
  return digest.algorithm === 'MD5' ? credentials.ha1Md5 : credentials.ha1Sha256;
}

/** True when the response was made with the password behind the credentials (RFC 7616 section 3.4.1). */
export function verifyDigest(digest: DigestAuthorization, method: string, credentials: Credentials): boolean {
  const ha1 = ha1For(digest, credentials);
  if (ha1 === '') return false;
  const hash = (text: string) =>
    createHash(digest.algorithm === 'MD5' ? 'md5' : 'sha256')
      .update(text)
      .digest('hex');
  const { nonce, nc, cnonce, uri } = digest;
  const expected = Buffer.from(hash(`${ha1}:${nonce}:${nc}:${cnonce}:auth:${hash(`${method}:${uri}`)}`));
  const given = Buffer.from(digest.response.toLowerCase());
  return given.length === expected.length && timingSafeEqual(given, expected);
}
