import { Trunk } from '@callmesh/proto/tenant';
import { describe, expect, it } from 'vitest';
import { gatewaysOf } from './carriers.ts';

const trunk = (more: Partial<Trunk>) =>
  Trunk.fromPartial({
    id: 'carrier-a',
    kind: 'TRUNK_KIND_CARRIER',
    auth: 'TRUNK_AUTH_ADDRESS',
    enabled: true,
    sourceAddresses: [
      '198.51.100.7',
      '198.51.100.7:5060',
      '203.0.113.0/24',
      '[2001:db8::1]:5060',
      '2001:db8::/48',
    ],
    contactUri: 'sip:198.51.100.7:5060;transport=tcp',
    ...more,
  });
const none = () => undefined;

describe('a carrier trunk as a gateway', () => {
  it('lets in the networks it is known by', () => {
    expect(gatewaysOf([trunk({})], none)[0]?.cidrs).toEqual([
      '198.51.100.7/32',
      '203.0.113.0/24',
      '2001:db8::1/128',
      '2001:db8::/48',
    ]);
  });

  it('lets in nobody by address whose proof is a digest', () => {
    expect(gatewaysOf([trunk({ auth: 'TRUNK_AUTH_DIGEST' })], none)[0]?.cidrs).toEqual([]);
  });

  it('registers with the secret this node has for it', () => {
    const registering = trunk({ register: true, username: 'acme', realm: 'carrier.example' });
    expect(gatewaysOf([registering], (id) => `secret of ${id}`)[0]?.params).toMatchObject({
      proxy: '198.51.100.7:5060',
      'register-transport': 'tcp',
      register: 'true',
      username: 'acme',
      realm: 'carrier.example',
      password: 'secret of carrier-a',
    });
  });

  it('is no gateway when it only calls in', () => {
    expect(gatewaysOf([trunk({ contactUri: '' })], none)[0]?.params).toBeUndefined();
  });

  it('is there only while it is a carrier and enabled, in order of id', () => {
    const trunks = [
      trunk({ id: 'z' }),
      trunk({ id: 'off', enabled: false }),
      trunk({ id: 'pbx', kind: 'TRUNK_KIND_HYBRID' }),
      trunk({ id: 'a' }),
    ];
    expect(gatewaysOf(trunks, none).map(({ id }) => id)).toEqual(['a', 'z']);
  });
});
