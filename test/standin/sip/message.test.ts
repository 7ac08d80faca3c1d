import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatMessage } from './format.ts';
import { Headers, type SipMessage, splitList } from './message.ts';
import { parseMessage, SipSyntaxError } from './parse.ts';
import { StreamFramer } from './stream.ts';

const token = fc.stringMatching(/^[A-Za-z0-9\-.!%*_+`'~]{1,12}$/);
const value = fc
  .string({ unit: 'grapheme', maxLength: 30 })
  .map((text) => text.replace(/[\r\n\0]/g, '').trim());
const headers = fc.array(fc.tuple(token, value), { maxLength: 8 }).map((pairs) => {
  const made = new Headers();
  for (const [name, text] of pairs) if (!/^(content-length|l)$/i.test(name)) made.add(name, text);
  return made;
});
const body = fc.string({ unit: 'grapheme', maxLength: 60 });
const message: fc.Arbitrary<SipMessage> = fc.oneof(
  fc.record({
    kind: fc.constant('request' as const),
    method: token,
    uri: fc.stringMatching(/^sip:[a-z0-9@.:;=]{1,20}$/),
    headers,
    body,
  }),
  fc.record({
    kind: fc.constant('response' as const),
    status: fc.integer({ min: 100, max: 699 }),
    reason: fc.stringMatching(/^[A-Za-z ]{0,12}$/).map((text) => text.trim()),
    headers,
    body,
  }),
);

function plain(parsed: SipMessage | undefined) {
  if (!parsed) throw new Error('nothing was parsed');
  const fields = parsed.headers.fields.filter(({ key }) => key !== 'content-length');
  return { ...parsed, headers: fields.map(({ name, value: text }) => [name, text]) };
}

describe('a message that was written', () => {
  it('is read back as it was', () => {
    fc.assert(
      fc.property(message, (sent) => {
        expect(plain(parseMessage(Buffer.from(formatMessage(sent))))).toEqual(plain(sent));
      }),
    );
  });

  it('comes out of a stream whole, however the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 4 }), fc.array(fc.nat(40)), (sent, cuts) => {
        const bytes = Buffer.from(sent.map(formatMessage).join('\r\n\r\n'));
        const framer = new StreamFramer();
        const got: SipMessage[] = [];
        let at = 0;
        for (const cut of [...cuts, bytes.length]) {
          got.push(...framer.push(bytes.subarray(at, at + cut)));
          at += cut;
        }
        expect(got.map(plain)).toEqual(sent.map(plain));
      }),
    );
  });

  it('cannot smuggle a header through a value', () => {
    for (const bad of ['a\r\nX-Evil: 1', 'a\nb', 'a\0b']) {
      const evil = new Headers().add('Subject', bad);
      const request = { kind: 'request', method: 'INVITE', uri: 'sip:a@b', headers: evil, body: '' } as const;
      expect(() => formatMessage(request)).toThrow(RangeError);
    }
  });
});

describe('the parser', () => {
  const read = (text: string) => parseMessage(Buffer.from(text));

  it('takes lone LF, folded lines, compact names, blanks round the colon and blank lines before', () => {
    const got = read(
      '\r\n\nINVITE sip:a@b SIP/2.0\nv : SIP/2.0/UDP h;branch=1\nSubject: one\n two\ni:abc\n\nbody',
    );
    expect(got?.headers.get('Via')).toBe('SIP/2.0/UDP h;branch=1');
    expect(got?.headers.get('subject')).toBe('one two');
    expect(got?.headers.get('CALL-ID')).toBe('abc');
    expect(got?.body).toBe('body');
  });

  it('ignores bytes after the body, and refuses a body that is not all there', () => {
    expect(read('SIP/2.0 200 OK\r\nl: 2\r\n\r\nabcd')?.body).toBe('ab');
    expect(() => read('SIP/2.0 200 OK\r\nl: 9\r\n\r\nabcd')).toThrow(SipSyntaxError);
  });

  it('takes a keep-alive for nothing and throws only SipSyntaxError, whatever comes', () => {
    expect(read('\r\n\r\n')).toBeUndefined();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          parseMessage(Buffer.from(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(SipSyntaxError);
        }
      }),
    );
  });

  it.each(['INVITE sip:a@b', 'SIP/2.0 99 Low', 'SIP/2.0 OK', 'IN VITE sip:a SIP/2.0 x', 'a'])(
    'refuses %s',
    (line) => {
      expect(() => read(`${line}\r\n\r\n`)).toThrow(SipSyntaxError);
    },
  );
});

describe('a list of values', () => {
  it('is split at commas outside quotes and angle brackets only', () => {
    expect(splitList('"a, b" <sip:x?y=1,2>, <sip:z>;p="q,r" ,t')).toEqual([
      '"a, b" <sip:x?y=1,2>',
      '<sip:z>;p="q,r"',
      't',
    ]);
  });

  it('is found over several fields, in order', () => {
    const fields = new Headers().add('Via', 'a, b').add('v', 'c');
    expect(fields.list('via')).toEqual(['a', 'b', 'c']);
    expect(fields.set('VIA', 'z').list('via')).toEqual(['z']);
  });
});
