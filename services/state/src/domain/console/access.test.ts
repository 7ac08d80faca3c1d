import { describe, expect, it } from 'vitest';
import { Access } from './access.ts';

const HOUR = 3_600_000;
const ann = { name: 'ann', token: 'token-of-ann-0123456789', numbers: true };
const ben = { name: 'ben', token: 'token-of-ben-0123456789', numbers: false };

describe('access to the console', () => {
  it('knows an operator by the token, and the browser by what was issued', () => {
    const access = new Access([ann, ben], HOUR);
    expect(access.byToken(ben.token, 'here', 0)).toBe(ben);
    expect(access.byCookie(access.issue(ann, 0), 1)).toBe(ann);
  });

  it.each([
    ['an expired cookie', () => new Access([ann], HOUR).issue(ann, -2 * HOUR)],
    ['a forged name', () => new Access([ann, ben], HOUR).issue(ben, 0).replace('ben', 'ann')],
    ['a longer life', () => new Access([ann], HOUR).issue(ann, 0).replace(/\d+/, '99999999999999')],
    [
      'the cookie of another token',
      () =>
        new Access([{ ...ann, token: 'an-older-token-of-ann' }], HOUR).issue(ann, 0).replace('ann', 'ben'),
    ],
    ['nonsense', () => 'ann..'],
    ['nothing', () => ''],
  ])('refuses %s', (_, cookie) => {
    expect(new Access([ann, ben], HOUR).byCookie(cookie(), 1)).toBeUndefined();
  });

  it('ends what an old token opened when the token is replaced', () => {
    const cookie = new Access([ann], HOUR).issue(ann, 0);
    expect(
      new Access([{ ...ann, token: 'a-new-token-of-ann-000' }], HOUR).byCookie(cookie, 1),
    ).toBeUndefined();
  });

  it('lets guessing wait, but nobody at another address', () => {
    const access = new Access([ann], HOUR);
    for (let n = 0; n < 20; n += 1) expect(access.byToken(`guess-${n}`, 'there', n)).toBeUndefined();
    expect(access.byToken(ann.token, 'there', 100)).toBe('wait');
    expect(access.byToken(ann.token, 'here', 100)).toBe(ann);
    expect(access.byToken(ann.token, 'there', 60_100)).toBe(ann);
  });
});
