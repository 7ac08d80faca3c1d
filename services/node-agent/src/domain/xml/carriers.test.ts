import { Trunk } from '@callmesh/proto/tenant';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changeBetween, gatewaysOf, inDoubt, type Told, toldOf } from './carriers.ts';

const trunk = (more: Partial<Trunk> = {}) =>
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
    expect(gatewaysOf([trunk()], none)[0]?.cidrs).toEqual([
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

describe('a change of the carriers', () => {
  const told = (...trunks: Trunk[]) => toldOf(gatewaysOf(trunks, none));
  const change = (before: Trunk[], after: Trunk[]) => changeBetween(told(...before), told(...after));
  const nothing = { networks: false, gone: [], come: [] };

  it('of what FreeSWITCH does not see is none', () => {
    expect(change([trunk()], [trunk({ maxChannels: 7, priority: 3, callerNumber: '+4930' })])).toEqual(
      nothing,
    );
  });

  it('of an address alone touches no gateway', () => {
    const moved = trunk({ sourceAddresses: ['192.0.2.1'] });
    expect(change([trunk()], [moved])).toEqual({ ...nothing, networks: true });
  });

  it('of where a carrier is replaces its gateway and no other', () => {
    const other = trunk({ id: 'carrier-b' });
    const moved = trunk({ contactUri: 'sip:192.0.2.1:5060' });
    expect(change([trunk(), other], [moved, other])).toEqual({
      networks: false,
      gone: ['carrier-a'],
      come: ['carrier-a'],
    });
  });

  it('of a secret replaces the gateway', () => {
    const with_ = (secret: string) => toldOf(gatewaysOf([trunk({ register: true })], () => secret));
    expect(changeBetween(with_('one'), with_('two'))).toMatchObject({
      gone: ['carrier-a'],
      come: ['carrier-a'],
    });
  });

  it('that adds or removes one does just that', () => {
    expect(change([], [trunk()])).toEqual({ networks: true, gone: [], come: ['carrier-a'] });
    expect(change([trunk()], [])).toEqual({ networks: true, gone: ['carrier-a'], come: [] });
  });

  it('that only calls in is no gateway that could go', () => {
    const silent = trunk({ contactUri: '' });
    expect(change([silent], [])).toEqual({ ...nothing, networks: true });
  });

  it('that failed halfway is made again, all of it and nothing else', () => {
    const fingerprint = fc.constantFrom('1', '2', '3');
    const gateways = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fingerprint);
    const states = fc.record({ networks: fingerprint, gateways });
    fc.assert(
      fc.property(states, states, (before: Told, after: Told) => {
        const first = changeBetween(before, after);
        const again = changeBetween(inDoubt(before, first), after);
        expect(again.networks).toBe(first.networks);
        expect(again.come.toSorted()).toEqual(first.come.toSorted());
        expect(again.gone.toSorted()).toEqual([...new Set([...first.gone, ...first.come])].toSorted());
        expect(changeBetween(after, after)).toEqual(nothing);
      }),
    );
  });
});
