import { describe, expect, it } from 'vitest';
import { parseDigest, verifyDigest } from './digest.ts';

/** RFC 7616 section 3.9.1: user Mufasa, password "Circle of Life". */
const example = (algorithm: string, response: string) =>
  `Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=${algorithm}, ` +
  'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, ' +
  `cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="${response}", ` +
  'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"';
const md5 = example('MD5', '8ca523f5e9506fed4657c9700eebdbec');
const sha256 = example('SHA-256', '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1');
const credentials = {
  ha1Md5: '3d78807defe7de2157e2b0b6573a855f',
  ha1Sha256: '7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232',
};

describe('digest', () => {
  it.each([
    ['MD5', md5],
    ['SHA-256', sha256],
  ])('verifies the example of RFC 7616 with %s', (_name, header) => {
    expect(verifyDigest(parseDigest(header)!, 'GET', credentials)).toBe(true);
  });

  it('made for another method does not verify', () => {
    expect(verifyDigest(parseDigest(md5)!, 'INVITE', credentials)).toBe(false);
  });

  it('does not verify with a hash that is not known', () => {
    expect(verifyDigest(parseDigest(sha256)!, 'GET', { ...credentials, ha1Sha256: '' })).toBe(false);
  });

  it.each([
    ['another scheme', 'Basic dXNlcjpwYXNz'],
    ['no qop', md5.replace('qop=auth, ', '')],
    ['auth-int', md5.replace('qop=auth', 'qop=auth-int')],
    ['a session algorithm', md5.replace('algorithm=MD5', 'algorithm=MD5-sess')],
    ['a field twice', `${md5}, username="other"`],
    ['a missing field', md5.replace('nc=00000001, ', '')],
    ['a quote left open', md5.slice(0, -1)],
    ['nothing', 'Digest '],
  ])('with %s is refused', (_what, header) => expect(parseDigest(header)).toBeUndefined());

  it('reads quoted commas and escaped quotes', () => {
    const header = md5.replace('"Mufasa"', String.raw`"Mu,\"fasa"`);
    expect(parseDigest(header)?.username).toBe('Mu,"fasa');
  });
});
