import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keptContact } from './contact.ts';

describe('a contact as FreeSWITCH keeps it', () => {
  it.each([
    ['"" <sip:a1@df7.invalid;transport=ws;fs_path=<sip:tok@10.0.0.1:443;lr;ob>>', 'of an event'],
    ['"" <sip:a1@df7.invalid;transport=ws;fs_path=%3Csip%3Atok%4010.0.0.1%3A443%3Blr%3Bob%3E>', 'of a list'],
    [
      'sofia/mesh/sip:a1@df7.invalid;transport=ws;fs_path=%3Csip%3Atok%4010.0.0.1%3A443%3Blr%3Bob%3E',
      'of a dial string',
    ],
    [
      '"<sip:x@y> ;" <sip:a1@df7.invalid;transport=ws;fs_path=%3Csip%3Atok%4010.0.0.1%3A443%3Blr%3Bob%3E>',
      'with a name',
    ],
  ])('%s (%s)', (text) => {
    expect(keptContact(text)).toEqual({
      contact: 'sip:a1@df7.invalid;transport=ws',
      path: ['sip:tok@10.0.0.1:443;lr;ob'],
    });
  });

  it('may have no path, and several hops', () => {
    expect(keptContact('<sip:alice@10.0.0.1:5060>')).toEqual({
      contact: 'sip:alice@10.0.0.1:5060',
      path: [],
    });
    expect(keptContact('<sip:a@b;fs_path=<sip:one;lr>,<sip:two;lr>>')?.path).toEqual([
      'sip:one;lr',
      'sip:two;lr',
    ]);
  });

  it('keeps the escapes of a hop', () => {
    const listed = '<sip:a@b;fs_path=%3Csip%3Aone%252C%40x%3Blr%3E>';
    expect(keptContact(listed)?.path).toEqual(['sip:one%2C@x;lr']);
  });

  it('is none when everything is unregistered by "*"', () => {
    expect(keptContact('"" <sip:(null)@(null);fs_path=<sip:tok@10.0.0.1;lr>>')).toBeUndefined();
  });

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => void keptContact(text)));
  });
});
