import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EslParser, MAX_BODY, MAX_HEADERS } from './parser.ts';

interface Sent {
  readonly headers: Record<string, string>;
  readonly body: string;
}

const headerName = fc
  .stringMatching(/^[A-Za-z][A-Za-z0-9_-]{0,20}$/)
  .filter((name) => name !== 'Content-Length');
const headerValue = fc.stringMatching(/^[ -~]{0,40}$/).map((value) => value.trim());
const sentMessage: fc.Arbitrary<Sent> = fc.record({
  headers: fc.dictionary(headerName, headerValue, { minKeys: 1, maxKeys: 6 }),
  body: fc.oneof(
    fc.constant(''),
    fc.string({ unit: 'grapheme', maxLength: 200 }),
    fc.constant('\n\nContent-Length: 5\n\n'),
  ),
});

function wire({ headers, body }: Sent): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\n`);
  if (body) lines.unshift(`Content-Length: ${Buffer.byteLength(body)}\n`);
  return Buffer.from(`${lines.join('')}\n${body}`);
}

/** Cuts bytes at arbitrary places; `cuts` may repeat, which yields empty chunks. */
function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b);
  return [0, ...places].map((from, index) => bytes.subarray(from, places[index] ?? bytes.length));
}

describe('the event socket parser', () => {
  it('reads the same messages wherever the network splits the stream', () => {
    fc.assert(
      fc.property(
        fc.array(sentMessage, { maxLength: 8 }),
        fc.array(fc.nat(), { maxLength: 30 }),
        (sent, cuts) => {
          const parser = new EslParser();
          const read = split(Buffer.concat(sent.map(wire)), cuts).flatMap((chunk) => parser.push(chunk));
          expect(read.map((message) => message.body.toString())).toEqual(sent.map(({ body }) => body));
          read.forEach((message, index) => {
            for (const [name, value] of Object.entries(sent[index]!.headers))
              expect(message.headers.get(name)).toBe(value);
          });
          expect(parser.buffered).toBe(0);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('reads a stream that comes byte by byte', () => {
    const parser = new EslParser();
    const bytes = wire({ headers: { 'Content-Type': 'api/response' }, body: 'grüße' });
    const read = [...bytes].flatMap((byte) => parser.push(Uint8Array.of(byte)));
    expect(read.map((message) => message.body.toString())).toEqual(['grüße']);
  });

  it('never throws anything but its own error on arbitrary bytes, and holds no more than its limits', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 20 }), (chunks) => {
        const parser = new EslParser();
        try {
          for (const chunk of chunks) parser.push(chunk);
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_argument' });
        }
        expect(parser.buffered).toBeLessThanOrEqual(20 * 400);
      }),
      { numRuns: 300 },
    );
  });

  it.each(['-1', '1e9', '0x10', ' 5x', '99999999999999999999', '1.5', String(MAX_BODY + 1), ''])(
    'refuses the length %j and everything after it',
    (length) => {
      const parser = new EslParser();
      const bytes = Buffer.from(`Content-Type: a/b\nContent-Length: ${length}\n\n`);
      expect(() => parser.push(bytes)).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
      expect(() => parser.push(wire({ headers: { A: 'b' }, body: '' }))).toThrow('broken');
    },
  );

  it('takes no length but a decimal one within its limit', () => {
    const length = fc.oneof(
      fc.string({ maxLength: 12 }).filter((text) => !/[\n]/.test(text)),
      fc.integer().map(String),
      fc.bigInt().map(String),
      fc.double().map(String),
      fc.constantFrom('0', '00', '+1', '1 ', ' 1', '１', '1_0', 'NaN', 'Infinity', '0b1', '1;2'),
    );
    fc.assert(
      fc.property(length, (text) => {
        const parser = new EslParser();
        const announce = () => parser.push(Buffer.from(`Content-Length: ${text}\n\n`));
        const trimmed = text.trim();
        if (/^\d{1,10}$/.test(trimmed) && Number(trimmed) <= MAX_BODY) expect(announce).not.toThrow();
        else expect(announce).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
      }),
    );
  });

  it('has read whole messages right before whatever damage comes after them', () => {
    fc.assert(
      fc.property(
        fc.array(sentMessage, { minLength: 1, maxLength: 6 }),
        fc.uint8Array({ minLength: 1, maxLength: 60 }),
        fc.array(fc.nat(), { maxLength: 20 }),
        (sent, damage, cuts) => {
          const parser = new EslParser();
          const read: string[] = [];
          try {
            for (const chunk of split(Buffer.concat([...sent.map(wire), damage]), cuts))
              for (const message of parser.push(chunk)) read.push(message.body.toString());
          } catch (error) {
            expect(error).toMatchObject({ code: 'invalid_argument' });
          }
          // A chunk that is damaged further on is lost as a whole: the stream is over by then.
          const bodies = sent.map(({ body }) => body);
          expect(read.slice(0, bodies.length)).toEqual(bodies.slice(0, Math.min(read.length, bodies.length)));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('holds no more than one message and one chunk, however many come', () => {
    const body = 'x'.repeat(5_000);
    const one = wire({ headers: { 'Content-Type': 'text/event-plain' }, body });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20_000 }), fc.integer({ min: 1, max: 50 }), (size, count) => {
        const parser = new EslParser();
        const flood = Buffer.concat(Array.from({ length: count }, () => one));
        let [read, most] = [0, 0];
        for (let at = 0; at < flood.length; at += size) {
          read += parser.push(flood.subarray(at, at + size)).length;
          most = Math.max(most, parser.buffered);
        }
        expect(read).toBe(count);
        expect(most).toBeLessThan(one.length);
      }),
      { numRuns: 40 },
    );
  });

  it('refuses a header block without an end', () => {
    const parser = new EslParser();
    expect(() => {
      for (let sent = 0; sent <= MAX_HEADERS; sent += 1000) parser.push(Buffer.alloc(1000, 'a'));
    }).toThrow('headers exceed');
  });

  it('reads a flood of 20,000 messages from one chunk', () => {
    const parser = new EslParser();
    const one = wire({ headers: { 'Content-Type': 'text/event-plain' }, body: 'Event-Name: HEARTBEAT\n\n' });
    const flood = Buffer.concat(Array.from({ length: 20_000 }, () => one));
    expect(parser.push(flood)).toHaveLength(20_000);
    expect(parser.buffered).toBe(0);
  });

  it('hands out bodies that later chunks do not change', () => {
    const parser = new EslParser();
    const [first] = parser.push(wire({ headers: { A: 'b' }, body: 'first' }));
    parser.push(wire({ headers: { A: 'b' }, body: 'other' }));
    expect(first?.body.toString()).toBe('first');
  });
});
