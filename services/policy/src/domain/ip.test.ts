import { describe, expect, it } from 'vitest';
import { parseIp, parseSource } from './ip.ts';

describe('source addresses', () => {
  it('are the same address however IPv6 writes them', () => {
    const value = parseIp('2001:db8::1')?.value;
    expect(parseIp('2001:0DB8:0:0:0:0:0:1')?.value).toBe(value);
    expect(parseIp('[2001:db8::0.0.0.1]')?.value).toBe(value);
  });

  it('mapped into IPv6 are IPv4', () => {
    expect(parseIp('::ffff:192.0.2.1')).toEqual(parseIp('192.0.2.1'));
  });

  it.each([
    '',
    '1.2.3',
    '1.2.3.256',
    '1.2.3.04',
    '1.2.3.4.5',
    ':::',
    '1::2::3',
    '2001:db8',
    '12345::',
    'host',
  ])('that are none are refused: "%s"', (text) => expect(parseIp(text)).toBeUndefined());

  it('may name a port or a network', () => {
    expect(parseSource('192.0.2.1:5060')).toMatchObject({ prefix: 32, port: 5060 });
    expect(parseSource('[2001:db8::1]:5060')).toMatchObject({ prefix: 128, port: 5060 });
    expect(parseSource('192.0.2.77/24')).toEqual(parseSource('192.0.2.0/24'));
    expect(parseSource('192.0.2.0/33')).toBeUndefined();
    expect(parseSource('192.0.2.1:70000')).toBeUndefined();
  });
});
