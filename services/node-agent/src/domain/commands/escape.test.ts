import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { brackets, executed, expanded, separate, words } from '../../../test/support/freeswitch-text.ts';
import { braces, element, inline, unexpanded, word } from './escape.ts';

/** Anything but a line break, which ends a command, and NUL, which ends a string of C. */
const line = fc.string({ unit: 'grapheme', maxLength: 30 }).filter((text) => !/[\r\n\0]/.test(text));
const marked = fc
  .array(fc.constantFrom("'", '\\', ',', '^', ';', '=', ' ', '$', 'n', 's', 't', 'a', '"', '|'), {
    maxLength: 14,
  })
  .map((parts) => parts.join(''));
const text = fc.oneof(line, marked);
const nothing = () => '';

describe('a layer of escapes', () => {
  it('comes off again at spaces', () => {
    fc.assert(
      fc.property(fc.array(text, { maxLength: 5 }), (all) => {
        expect(words(all.map(word).join(' '))).toEqual(all);
      }),
    );
  });

  it('comes off again at any other mark, spaces at the ends and all', () => {
    const mark = fc.constantFrom(',', '^', ';', '|', '=');
    fc.assert(
      fc.property(
        fc.array(
          text.filter((one) => one !== ''),
          { maxLength: 5 },
        ),
        mark,
        (all, delimiter) => {
          expect(separate(all.map((one) => element(one, delimiter)).join(delimiter), delimiter)).toEqual(all);
        },
      ),
    );
  });

  it('keeps an argument from being expanded', () => {
    fc.assert(
      fc.property(
        text.filter((one) => !one.includes('${')),
        (one) => {
          expect(expanded(unexpanded(one), nothing)).toBe(one);
        },
      ),
    );
  });

  it('keeps variables in front of a dial string apart', () => {
    const values = fc.dictionary(
      fc.stringMatching(/^[a-z]{1,5}$/),
      text.filter((one) => !/[{}]/.test(one)),
      { maxKeys: 4 },
    );
    fc.assert(
      fc.property(values, (variables) => {
        const read = brackets(`${braces(variables)}sofia/mesh/a`, '{', '}');
        expect(Object.fromEntries(read.variables)).toEqual({ ...variables });
        expect(read.rest).toBe('sofia/mesh/a');
      }),
    );
  });

  it('keeps applications and their arguments apart', () => {
    const app = fc.record({
      name: fc.constantFrom('set', 'speak', 'bridge'),
      arg: text.filter((one) => !one.includes('${')),
    });
    fc.assert(
      fc.property(fc.array(app, { minLength: 1, maxLength: 6 }), (apps) => {
        expect(executed(words(word(inline(apps)))[0]!, nothing)).toEqual(apps);
      }),
    );
  });
});
