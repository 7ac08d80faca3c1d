import { describe, expect, it } from 'vitest';
import { parseSipUri } from './sip-uri.ts';

describe('a SIP URI', () => {
  it.each([
    ['sip:+4930100@192.0.2.1:5060;transport=udp', '+4930100', '192.0.2.1', 5060],
    ['sips:alice@ACME.example', 'alice', 'acme.example', undefined],
    ['sip:+49(30)1-00;npdi@host?Subject=x', '+4930100', 'host', undefined],
    ['sip:%2B4930100@[2001:db8::1]:5080', '+4930100', '[2001:db8::1]', 5080],
    ['sip:al.ice:secret@host', 'al.ice', 'host', undefined],
    ['tel:+49-30-100;phone-context=x', '+4930100', '', undefined],
    ['sip:host', '', 'host', undefined],
  ])('%s is read', (text, user, host, port) => expect(parseSipUri(text)).toEqual({ user, host, port }));

  it.each([
    '',
    'http://x/',
    'sip:',
    'sip:a b@host',
    'sip:a@host\r\nX: y',
    'sip:a"b@host',
    'sip:a@ho/st',
    'sip:%zz@host',
  ])('%j is refused', (text) => expect(parseSipUri(text)).toBeUndefined());
});
