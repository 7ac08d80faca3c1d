import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalAddress } from './address.ts';

describe('a source address', () => {
  it.each([
    ['198.51.100.7', '198.51.100.7'],
    ['198.51.100.7:5060', '198.51.100.7:5060'],
    ['198.51.100.0/24', '198.51.100.0/24'],
    ['198.51.100.7/32', '198.51.100.7'],
    ['2001:DB8:0:0::1', '2001:db8::1'],
    ['[2001:db8::1]:5060', '[2001:db8::1]:5060'],
    ['2001:db8::/32', '2001:db8::/32'],
    ['127.0.0.1:5070', '127.0.0.1:5070'],
  ])('%s is kept as %s', (given, kept) => {
    expect(canonicalAddress(given)).toEqual({ address: kept });
  });

  it.each([
    ['pbx.acme.example', /an IP address/],
    ['198.51.100', /an IP address/],
    ['198.51.100.007', /an IP address/],
    ['0x7f.0.0.1', /an IP address/],
    ['2130706433', /an IP address/],
    ['fe80::1%eth0', /an IP address/],
    ['198.51.100.7:0', /a port/],
    ['198.51.100.7:65536', /a port/],
    ['2001:db8::1:5060:99999', /an IP address/],
    ['[198.51.100.7]:5060', /an IP address/],
    ['198.51.100.7/24', /first address, 198.51.100.0\/24/],
    ['0.0.0.0/0', /prefix length from 1 to 32/],
    ['::/0', /prefix length from 1 to 128/],
    ['198.51.100.0/33', /prefix length/],
    ['0.0.0.0', /unicast/],
    ['224.0.0.1', /unicast/],
    ['::ffff:198.51.100.7', /IPv4 address itself/],
    ['198.51.100.7; drop', /an IP address/],
    ['', /an IP address/],
  ])('%s is refused', (given, expected) => {
    expect(canonicalAddress(given)).toMatchObject({ expected: expect.stringMatching(expected) });
  });

  it('has one form: what it is kept as stays as it is', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.ipV4(), fc.ipV6()),
        fc.option(fc.integer({ min: 0, max: 130 })),
        (ip, prefix) => {
          const result = canonicalAddress(prefix === null ? ip : `${ip}/${prefix}`);
          if ('address' in result) expect(canonicalAddress(result.address)).toEqual(result);
        },
      ),
    );
  });
});
