import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EslEvent, percentDecode } from './event.ts';
import { messageOf } from './message.ts';

const plain = (text: string) => EslEvent.fromPlain(messageOf(new Map(), Buffer.from(text)));

describe('an event', () => {
  it('decodes values, not names', () => {
    const event = plain('Event-Name: CUSTOM\nvariable_nolocal:check: 1%202\nEvent-Info: System%20Ready\n\n');
    expect(event.name).toBe('CUSTOM');
    expect(event.variable('nolocal:check')).toBe('1 2');
    expect(event.get('Event-Info')).toBe('System Ready');
  });

  it('keeps the first of two equal names', () => {
    expect(plain('Hangup-Cause: USER_BUSY\nHangup-Cause: OTHER\n\n').get('Hangup-Cause')).toBe('USER_BUSY');
  });

  it('has the body that follows its own headers', () => {
    expect(plain('Event-Name: BACKGROUND_JOB\nContent-Length: 5\n\n+OK\n\n').body).toBe('+OK\n\n');
  });

  it('says undefined for a number that is none', () => {
    const event = plain('A: 12.5\nB: x\nC: \n\n');
    expect([event.number('A'), event.number('B'), event.number('C'), event.number('D')]).toEqual([
      12.5,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('decodes what an encoder encoded, and never throws on what none did', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(percentDecode(encodeURIComponent(text))).toBe(text);
      }),
    );
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(typeof percentDecode(text)).toBe('string');
      }),
    );
    expect(percentDecode('100%')).toBe('100%');
    expect(percentDecode('%zz%41')).toBe('%zzA');
    expect(percentDecode('%FF')).toBe('\uFFFD');
  });

  it('reads a dumped channel, and nothing from what is no JSON', () => {
    expect(EslEvent.fromJson('{"Unique-ID":"u","list":["a"]}')?.get('Unique-ID')).toBe('u');
    expect(EslEvent.fromJson('-ERR No such channel!')).toBeUndefined();
  });
});
