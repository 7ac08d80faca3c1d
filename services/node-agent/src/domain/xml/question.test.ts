import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answerKey, asksForCarriers } from './question.ts';

const CALL = {
  'Caller-Context': 'mesh',
  'Caller-Destination-Number': '+4940123',
  'variable_sip_h_X-Callmesh-Tenant': 'acme',
  variable_sip_network_ip: '10.0.0.7',
};
const key = (fields: Record<string, string>) => answerKey('dialplan', new URLSearchParams(fields));

describe('what an answer depends on', () => {
  it('is not the call', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (uuid, callId) => {
        expect(key({ ...CALL, 'Unique-ID': uuid, variable_sip_call_id: callId })).toBe(key(CALL));
      }),
    );
  });

  it.each([
    'Caller-Context',
    'Caller-Destination-Number',
    'Caller-Caller-ID-Number',
    'variable_sip_Privacy',
    'variable_sip_h_X-Callmesh-Tenant',
    'variable_sip_h_X-Callmesh-Trunk',
  ])('is %s', (name) => {
    expect(key({ ...CALL, [name]: 'other' })).not.toBe(key(CALL));
  });

  it('is where a call came from, only where strangers call in', () => {
    const elsewhere = { variable_sip_network_ip: '10.0.0.8' };
    expect(key({ ...CALL, ...elsewhere })).toBe(key(CALL));
    const stranger = { ...CALL, 'Caller-Context': 'carriers' };
    expect(key({ ...stranger, ...elsewhere })).not.toBe(key(stranger));
  });

  it('does not take what is absent for what is empty', () => {
    expect(key({ ...CALL, variable_sip_Privacy: '' })).not.toBe(key(CALL));
  });
});

describe('the carriers', () => {
  it.each([
    [{ key_value: 'carriers', purpose: 'gateways' }, true],
    [{ key_value: 'carriers', domain: 'carriers' }, true],
    [{ key_value: 'acme.example', domain: 'acme.example' }, false],
  ])('are asked for by %j: %s', (fields, asked) => {
    expect(asksForCarriers('directory', new URLSearchParams(fields as Record<string, string>))).toBe(asked);
  });

  it('are no dialplan', () => {
    expect(asksForCarriers('dialplan', new URLSearchParams({ domain: 'carriers' }))).toBe(false);
  });
});
