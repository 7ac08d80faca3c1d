import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { authorize, parseChallenge } from './digest.ts';
import { answerSdp, formatSdp, isHold, parseSdp } from './sdp.ts';
import {
  formatNameAddr,
  formatUri,
  formatVia,
  parseNameAddr,
  parseUri,
  parseVia,
  tagOf,
  uriTarget,
} from './uri.ts';

describe('SIP URIs', () => {
  it.each([
    'sip:a@b',
    'sips:+4930;x=y@host.example:5061;transport=tcp;lr',
    'sip:[2001:db8::1]:5060',
    'sip:a:secret@b;p=1?Subject=x',
  ])('%s is read and written the same', (text) => {
    expect(formatUri(parseUri(text)!)).toBe(text);
  });

  it('name the target by address, port and transport, UDP and 5060 by default', () => {
    expect(uriTarget('sip:a@127.0.0.1')).toEqual({ transport: 'udp', host: '127.0.0.1', port: 5060 });
    expect(uriTarget('sip:127.0.0.1:70;transport=TCP')).toEqual({
      transport: 'tcp',
      host: '127.0.0.1',
      port: 70,
    });
    expect(uriTarget('tel:+4930')).toBeUndefined();
  });
});

describe('name-addr', () => {
  it('gives parameters outside <> to the header, inside to the URI', () => {
    expect(tagOf('sip:a@b;tag=1')).toBe('1');
    expect(tagOf('<sip:a@b;tag=2>')).toBeUndefined();
    expect(parseNameAddr('"A \\"B\\" <x>" <sip:a@b;lr>;tag=3')).toMatchObject({
      display: 'A "B" <x>',
      uri: 'sip:a@b;lr',
    });
  });

  it('is written so that it reads back, whatever the display name', () => {
    const display = fc.string({ minLength: 1 }).filter((text) => text.trim() === text);
    fc.assert(
      fc.property(display, (name) => {
        const text = formatNameAddr({ display: name, uri: 'sip:a@b', params: new Map([['tag', 't']]) });
        expect(parseNameAddr(text)).toEqual({
          display: name,
          uri: 'sip:a@b',
          params: new Map([['tag', 't']]),
        });
      }),
    );
  });
});

it('a Via is read and written the same', () => {
  const text = 'SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1;rport;received=10.0.0.2';
  expect(formatVia(parseVia(text)!)).toBe(text);
  expect(parseVia('HTTP/1.1 x')).toBeUndefined();
});

describe('SDP', () => {
  const offer = formatSdp({
    address: '10.0.0.1',
    port: 4000,
    id: 1,
    version: 2,
    direction: 'sendonly',
    dtmf: 101,
  });

  it('answers an offer with PCMA where it can and the mirrored direction', () => {
    const answer = parseSdp(
      answerSdp(parseSdp(offer)!, { address: '10.0.0.2', port: 4002, id: 1, version: 1 })!,
    );
    expect(answer).toEqual({
      address: '10.0.0.2',
      port: 4002,
      payloads: [8, 101],
      direction: 'recvonly',
      dtmf: 101,
    });
  });

  it('takes sendonly, inactive and 0.0.0.0 for hold', () => {
    expect(isHold(parseSdp(offer)!)).toBe(true);
    expect(isHold(parseSdp(offer.replace('sendonly', 'sendrecv'))!)).toBe(false);
    expect(isHold(parseSdp(offer.replace('sendonly', 'sendrecv').replaceAll('10.0.0.1', '0.0.0.0'))!)).toBe(
      true,
    );
  });

  it('has no answer when no codec is common', () => {
    const opus = 'v=0\r\nc=IN IP4 1.1.1.1\r\nm=audio 4 RTP/AVP 111\r\n';
    expect(answerSdp(parseSdp(opus)!, { address: 'x', port: 1, id: 1, version: 1 })).toBeUndefined();
  });
});

describe('digest', () => {
  // The example of RFC 2617 section 3.5.
  const challenge = parseChallenge(
    'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc"',
  )!;

  it('answers as RFC 2617 shows', () => {
    const value = authorize(
      challenge,
      { username: 'Mufasa', password: 'Circle Of Life' },
      { method: 'GET', uri: '/dir/index.html' },
      '0a4f113b',
    );
    expect(value).toContain('response="6629fae49393a05397450978507c4ef1"');
    expect(value).toContain('nc=00000001');
  });

  it('reads no other scheme', () => {
    expect(parseChallenge('Basic realm="x"')).toBeUndefined();
  });
});
