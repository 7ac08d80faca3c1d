import { describe, expect, it } from 'vitest';
import { source } from './sound.ts';

const played = (text: string, loops = 0) => source({ source: text, loops }, 'play');

describe('what is played', () => {
  it.each([
    'welcome.wav',
    'ivr/en/1.wav',
    'a b/c_d-e.v2.wav',
    'native',
    'silence_stream://500',
    'silence_stream://500,400',
  ])('may be %j', (text) => expect(played(text)).toBe(text));

  it.each([
    ...[
      '',
      '/etc/passwd',
      '../secret.wav',
      'a/../../b.wav',
      'a//b.wav',
      './a.wav',
      'a/.hidden',
      '~/a.wav',
      'a\\b.wav',
    ],
    ...[
      'http://x/a.wav',
      'say:1',
      'phrase:x',
      'shell_stream://id',
      'file_string://a.wav',
      'local_stream://moh',
    ],
    ...[
      'tone_stream://path=/etc/passwd',
      'tone_stream://',
      '{x=y}a.wav',
      '[x=y]a.wav',
      '@@a',
      'a'.repeat(201),
    ],
  ])('is never %j', (text) => {
    expect(() => played(text)).toThrow(
      expect.objectContaining({ code: 'invalid_argument', field: 'play.source' }),
    );
  });

  it('is repeated as one piece, so that one break ends it', () => {
    expect(played('a.wav', 1)).toBe('a.wav');
    expect(played('a.wav', 3)).toBe('file_string://a.wav!a.wav!a.wav');
    expect(played('a.wav', -1).split('!')).toHaveLength(127);
    expect(played('tone_stream://%(250,250,425)', 4)).toBe('tone_stream://%(250,250,425);loops=4');
    expect(played('tone_stream://%(250,250,425);loops=9', -1)).toBe('tone_stream://%(250,250,425);loops=-1');
    expect(played('tone_stream://%(250,250,425);loops=9')).toBe('tone_stream://%(250,250,425);loops=9');
  });

  it.each([
    ['a.wav', 128],
    ['a.wav', -2],
    ['tone_stream://%(1,1,1)', 10_001],
    ['a.wav', 1.5],
  ])('%s is not repeated %d times', (text, loops) => {
    expect(() => played(text, loops)).toThrow(expect.objectContaining({ field: 'play.loops' }));
  });
});
