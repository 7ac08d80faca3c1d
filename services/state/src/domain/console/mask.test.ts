import { expect, it } from 'vitest';
import { masked, maskedText } from './mask.ts';

it.each([
  ['+4930100100', '•••00'],
  ['1001', '•••01'],
  ['alice@acme.example', 'a•••@acme.example'],
  ['+4930100100@acme.example', '•••00@acme.example'],
  ['', ''],
])('hides %s as %s', (party, shown) => {
  expect(masked(party)).toBe(shown);
});

it('hides numbers in a sentence, and nothing else', () => {
  expect(maskedText('no carrier for +4930100100')).toBe('no carrier for •••00');
  expect(maskedText('lightest: 12 of 500 on fs-media-1')).toBe('lightest: 12 of 500 on fs-media-1');
});
