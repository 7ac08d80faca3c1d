import { describe, expect, it } from 'vitest';
import { forHeir, insertingLine, isWhole, takingLine, variableOf } from './channel.ts';

const UUID = '00000000-0000-4000-8000-000000000001';
const EPOCH = '00000000-0000-4000-8000-0000000000ee';
const channel = (variables: string) => `<cdr>\n  <variables>\n    ${variables}\n  </variables>\n</cdr>`;

describe('a channel that goes to another node', () => {
  it('gets the media addresses of the heir where it had those of its node', () => {
    const text = channel(
      '<local_media_ip>10.0.0.1</local_media_ip><advertised_media_ip>203.0.113.9</advertised_media_ip>',
    );
    const heirs = forHeir(text, '10.0.0.1', '10.0.0.2');
    expect(variableOf(heirs, 'local_media_ip')).toBe('10.0.0.2');
    expect(variableOf(heirs, 'advertised_media_ip')).toBe('203.0.113.9');
  });

  it('counts its requests on from where nobody has been, also at the second takeover', () => {
    const once = forHeir(channel('<a>1</a>'), '', '');
    expect(variableOf(once, 'sip_invite_cseq')).toBe('234217728');
    expect(variableOf(forHeir(once, '', ''), 'sip_invite_cseq')).toBe('334217728');
    expect(once.match(/sip_invite_cseq>/g)).toHaveLength(2);
  });

  it('says nothing in the name of its node', () => {
    const text = forHeir(channel('<sip_recover_via>SIP/2.0/UDP%2010.0.0.1</sip_recover_via>'), '', '');
    expect(text).not.toContain('10.0.0.1');
  });

  it('keeps counting below what SIP allows', () => {
    const late = forHeir(channel('<sip_invite_cseq>1999999999</sip_invite_cseq>'), '', '');
    expect(variableOf(late, 'sip_invite_cseq')).toBe('2000000000');
  });

  it('is whole when its own tag is known, which FreeSWITCH shows late', () => {
    const early = '<sip_full_to>%3Csip%3Aa%40b%3E</sip_full_to>';
    expect(isWhole(channel(early))).toBe(false);
    expect(isWhole(channel(`${early}<sip_to_tag>abc</sip_to_tag>`))).toBe(true);
    expect(isWhole(channel('<sip_full_to>%3Csip%3Aa%40b%3E%3Btag%3Dabc</sip_full_to>'))).toBe(true);
  });

  it('names its own tag, also when no ACK had come yet', () => {
    const to = '<sip_to_tag>abc</sip_to_tag><sip_full_to>%3Csip%3Aa%40b%3E</sip_full_to>';
    const whole = forHeir(channel(to), '', '');
    expect(variableOf(whole, 'sip_full_to')).toBe('%3Csip%3Aa%40b%3E%3Btag%3Dabc');
    expect(variableOf(forHeir(whole, '', ''), 'sip_full_to')).toBe('%3Csip%3Aa%40b%3E%3Btag%3Dabc');
  });
});

describe('a line for the event socket', () => {
  it('is one line, and quotes what it carries', () => {
    const line = insertingLine(
      UUID,
      EPOCH,
      forHeir(channel("<caller_id_name>O'Neil</caller_id_name>"), '', ''),
    );
    expect(line).not.toMatch(/[\r\n]/);
    expect(line).toContain("O''Neil");
  });

  it('is made for nothing but a UUID', () => {
    expect(() => takingLine('x") os.execute("')).toThrow('no UUID');
    expect(() => insertingLine(UUID, "'; drop table recovery", '')).toThrow('no UUID');
  });

  it('cannot be left by what a channel contains', () => {
    expect(() => insertingLine(UUID, EPOCH, '<a>]==] os.execute("x") --</a>')).toThrow('channel');
  });
});
