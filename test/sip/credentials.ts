import { createHash } from 'node:crypto';
import { header, type SipMessage } from './message.ts';

const md5 = (text: string) => createHash('md5').update(text).digest('hex');

export interface Account {
  readonly user: string;
  readonly realm: string;
  readonly password: string;
}

/** HA1 of RFC 2617, as tenant-registry keeps it. */
export function ha1Of({ user, realm, password }: Account): string {
  return md5(`${user}:${realm}:${password}`);
}

/** The parameters of a Digest header, challenge or credentials. */
export function digestParameters(value: string): Record<string, string> {
  const pairs = value.replace(/^Digest\s+/i, '').matchAll(/(\w+)=(?:"([^"]*)"|([^,\s]*))/g);
  return Object.fromEntries([...pairs].map(([, name, quoted, bare]) => [name, quoted ?? bare ?? '']));
}

/** The Authorization header that answers a 401 (MD5, qop=auth). */
export function authorize(
  account: Account,
  challenge: SipMessage,
  method: string,
  uri: string,
  nc = 1,
): string {
  const { nonce = '', realm = '' } = digestParameters(header(challenge, 'WWW-Authenticate'));
  const count = nc.toString(16).padStart(8, '0');
  const response = md5(`${ha1Of(account)}:${nonce}:${count}:c0ffee:auth:${md5(`${method}:${uri}`)}`);
  return `Digest username="${account.user}", realm="${realm}", nonce="${nonce}", uri="${uri}", response="${response}", algorithm=MD5, cnonce="c0ffee", qop=auth, nc=${count}`;
}

/** What policy does with credentials: the response must be the one that HA1 gives. */
export function isRight(account: Account, authorization: string, method: string): boolean {
  const p = digestParameters(authorization);
  const expected = md5(
    `${ha1Of(account)}:${p.nonce}:${p.nc}:${p.cnonce}:${p.qop}:${md5(`${method}:${p.uri}`)}`,
  );
  return p.username === account.user && p.realm === account.realm && p.response === expected;
}
