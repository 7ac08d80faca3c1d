import { NodeRole } from '@callmesh/proto/node';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answerKey, asksForCarriers } from './question.ts';

type Form = Record<string, string>;

/** Everything about a call a router or tandem may post, and nothing that decides. */
const NOISE = [
  'Unique-ID',
  'variable_sip_call_id',
  'variable_sip_to_tag',
  'Event-Sequence',
  'variable_switch_r_sdp',
];
const CALL: Form = {
  'Caller-Context': 'mesh',
  variable_sip_req_user: 'alice',
  variable_sip_req_host: 'acme.example',
  variable_sip_from_user: '+4940123',
  variable_sip_from_host: '10.0.0.7',
  variable_sip_network_ip: '10.0.0.7',
  'Caller-Caller-ID-Number': '+4940123',
  'variable_sip_h_X-Callmesh-Tenant': 'acme',
};
const DOOR: Form = {
  ...CALL,
  'variable_sip_h_X-Callmesh-Node': 'fs-router-1',
  'variable_sip_h_X-Callmesh-Agent': 'bob@acme.example',
};
const CARRIER: Form = { ...CALL, 'Caller-Context': 'carriers' };

const { NODE_ROLE_ROUTER: router, NODE_ROLE_TANDEM: tandem, NODE_ROLE_MEDIA: media } = NodeRole;
const key = (role: NodeRole, form: Form) =>
  answerKey({ role, section: 'dialplan', fields: new URLSearchParams(form) });
const user = (form: Form) =>
  answerKey({ role: media, section: 'directory', fields: new URLSearchParams(form) });

describe('what an answer depends on', () => {
  const kinds = [
    ['to an agent', router, CALL],
    ['of an agent', router, DOOR],
    ['to a carrier', tandem, CALL],
    ['of a carrier', tandem, CARRIER],
  ] as const;

  it.each(kinds)('is, of a call %s, not the call itself', (_, role, call) => {
    const noise = fc.dictionary(fc.constantFrom(...NOISE), fc.string());
    fc.assert(fc.property(noise, (more) => key(role, { ...call, ...more }) === key(role, call)));
  });

  it('differs between the four kinds of calls, and from users', () => {
    const keys = kinds.map(([, role, call]) => key(role, call));
    expect(new Set([...keys, user(CALL)]).size).toBe(5);
  });

  it.each(kinds)('is, of a call %s, whom it calls', (_, role, call) => {
    const called = fc.record({ variable_sip_req_user: fc.string(), variable_sip_req_host: fc.string() });
    fc.assert(
      fc.property(called, called, (one, other) => {
        const same = JSON.stringify(one) === JSON.stringify(other);
        expect(key(role, { ...call, ...one }) === key(role, { ...call, ...other })).toBe(same);
      }),
    );
  });

  it.each([
    ['to an agent', 'variable_sip_h_X-Callmesh-Tenant', router, CALL],
    ['of an agent', 'variable_sip_h_X-Callmesh-Tenant', router, DOOR],
    ['of an agent', 'variable_sip_h_X-Callmesh-Agent', router, DOOR],
    ['to a carrier', 'variable_sip_h_X-Callmesh-Tenant', tandem, CALL],
    ['to a carrier', 'variable_sip_h_X-Callmesh-Trunk', tandem, CALL],
    ['to a carrier', 'Caller-Caller-ID-Number', tandem, CALL],
    ['to a carrier', 'variable_sip_Privacy', tandem, CALL],
    ['of a carrier', 'Caller-Caller-ID-Number', tandem, CARRIER],
    ['of a carrier', 'variable_sip_Privacy', tandem, CARRIER],
    ['of a carrier', 'variable_sip_network_ip', tandem, CARRIER],
    ['of a carrier', 'variable_sip_network_port', tandem, CARRIER],
    ['of a carrier', 'variable_sip_auth_username', tandem, CARRIER],
  ] as const)('is, of a call %s, also %s', (_, name, role, call) => {
    expect(key(role, { ...call, [name]: 'other' })).not.toBe(key(role, call));
  });

  it('is, of a call to an agent, not who calls: whoever it is, the same devices ring', () => {
    const other = {
      'Caller-Caller-ID-Number': '+1',
      variable_sip_from_user: '+1',
      variable_sip_network_ip: '::1',
    };
    expect(key(router, { ...CALL, ...other })).toBe(key(router, CALL));
  });

  it('is, of a call of a carrier, nothing a stranger can claim to be', () => {
    const forged = {
      'variable_sip_h_X-Callmesh-Tenant': 'globex',
      'variable_sip_h_X-Callmesh-Trunk': 'other',
    };
    expect(key(tandem, { ...CARRIER, ...forged })).toBe(key(tandem, CARRIER));
  });

  it('does not take what is absent for what is empty', () => {
    expect(key(tandem, { ...CALL, variable_sip_Privacy: '' })).not.toBe(key(tandem, CALL));
  });

  it('is, of a user, who is asked about and what for', () => {
    const asked = { key_value: 'acme.example', user: 'alice', domain: 'acme.example' };
    for (const name of ['user', 'domain', 'action', 'purpose', 'sip_auth_username', 'sip_auth_realm'])
      expect(user({ ...asked, [name]: 'other' })).not.toBe(user(asked));
    expect(user({ ...asked, 'Event-Sequence': '7' })).toBe(user(asked));
  });
});

describe('the carriers', () => {
  it.each([
    [{ key_value: 'carriers', purpose: 'gateways' }, true],
    [{ key_value: 'carriers', domain: 'carriers' }, true],
    [{ key_value: 'acme.example', domain: 'acme.example' }, false],
  ])('are asked for by %j: %s', (fields, asked) => {
    expect(asksForCarriers('directory', new URLSearchParams(fields as Form))).toBe(asked);
  });

  it('are no dialplan', () => {
    expect(asksForCarriers('dialplan', new URLSearchParams({ domain: 'carriers' }))).toBe(false);
  });
});
