import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fields } from '../../../test/support/fields.ts';
import { heardOf, REGISTERED, UNREGISTERED } from './heard.ts';

const NOW = 1_700_000_000_500;
const REGISTER = {
  'Event-Subclass': REGISTERED,
  'Event-Date-Timestamp': 1_700_000_000_000_000,
  'from-user': 'Alice',
  'from-host': 'ACME.example',
  contact: '"" <sip:a1@df7.invalid;transport=ws;fs_path=<sip:kama-wss-1@10.0.0.1:5060;lr;ob>>',
  expires: 120,
  'call-id': 'c-1',
  'user-agent': 'JsSIP',
};
const heard = (more: Record<string, string | number> = {}) =>
  heardOf(fields('CUSTOM', { ...REGISTER, ...more }), NOW);

describe('what a router says of a registration', () => {
  it('is a device: who it is, how it is reached, and how long', () => {
    expect(heard()).toEqual({
      what: 'device',
      device: {
        aor: 'Alice@acme.example',
        contact: 'sip:a1@df7.invalid;transport=ws',
        path: ['sip:kama-wss-1@10.0.0.1:5060;lr;ob'],
        callId: 'c-1',
        userAgent: 'JsSIP',
        at: 1_700_000_000_000,
        expiresAt: 1_700_000_120_000,
      },
    });
  });

  it('is a device that is gone, when it unregisters', () => {
    const gone = heard({ 'Event-Subclass': UNREGISTERED, expires: 0 });
    expect(gone).toMatchObject({ what: 'device', device: { expiresAt: 0, at: 1_700_000_000_000 } });
  });

  it('is that all are gone, when "*" unregisters, and only then', () => {
    const contact = '"" <sip:(null)@(null);fs_path=<sip:kama-wss-1@10.0.0.1;lr>>';
    expect(heard({ 'Event-Subclass': UNREGISTERED, contact })).toEqual({
      what: 'all gone',
      aor: 'Alice@acme.example',
    });
    expect(heard({ contact })).toEqual({ what: 'unclear' });
    expect(heard({ 'Event-Subclass': UNREGISTERED, contact: '' })).toEqual({ what: 'unclear' });
  });

  it.each([
    ['a contact that was escaped', '"" <sip:bob@@10.0.0.1>'],
    ['a contact with an escape left', '"" <sip:bo%zz@10.0.0.1>'],
    ['a contact that is no SIP URI', '<tel:+4930>'],
    ['a path that was escaped', '"" <sip:bob@10.0.0.1;fs_path=<sip:a b@10.0.0.1;lr>>'],
  ])('is unclear, for %s', (_, contact) => {
    expect(heard({ contact })).toEqual({ what: 'unclear' });
  });

  it('is nothing, when it is of nobody', () => {
    expect(heard({ 'from-user': '' })).toBeUndefined();
    expect(heard({ 'from-host': '' })).toBeUndefined();
    expect(heard({ 'from-user': 'a b' })).toBeUndefined();
  });

  it('never is a failure, whatever a device writes', () => {
    const text = fc.string({ unit: 'grapheme' });
    const hostile = fc.record({ contact: text, 'call-id': text, 'user-agent': text, 'from-user': text });
    fc.assert(fc.property(hostile, (more) => void heard(more)));
  });
});
