import { describe, expect, it } from 'vitest';
import { checkKey, checkLeg, checkRing } from './check.ts';

const LEG = {
  tenantId: 'acme',
  sessionId: '0123456789abcdef',
  legUuid: '87c55f32-2001-4f47-bf76-64e75f3a4143',
};

describe('what a command names', () => {
  it('is taken when it is whole', () => {
    expect(checkLeg(LEG)).toBe(LEG);
    expect(checkLeg({ ...LEG, legUuid: '' }, 'session').legUuid).toBe('');
  });

  it.each([
    ['leg', undefined],
    ['leg.tenant_id', { ...LEG, tenantId: 'Acme' }],
    ['leg.session_id', { ...LEG, sessionId: '0123456789ABCDEF' }],
    ['leg.leg_uuid', { ...LEG, legUuid: '' }],
    ['leg.leg_uuid', { ...LEG, legUuid: "x'; uuid_kill" }],
  ])('names the wrong field %s', (field, leg) => {
    expect(() => checkLeg(leg)).toThrow(expect.objectContaining({ code: 'invalid_argument', field }));
  });

  it.each(['', 'with blank', 'ümlaut', 'x'.repeat(129)])('refuses the key %j', (key) => {
    expect(() => checkKey(key)).toThrow('idempotency_key: expected');
  });

  it('lets a party ring for 30 s unless told', () => {
    expect([checkRing('t', 0), checkRing('t', 300)]).toEqual([30, 300]);
    expect(() => checkRing('timeout_s', 301)).toThrow('timeout_s: expected 1-300 seconds');
  });
});
