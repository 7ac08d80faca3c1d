import fc from 'fast-check';
import { expect, it } from 'vitest';
import { JsonSplitter } from './json-splitter.ts';

it('finds the same objects wherever the stream is cut', () => {
  const objects = fc.array(fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 4 }), { maxLength: 5 });
  fc.assert(
    fc.property(
      objects,
      fc.constantFrom('', '\n', ' \n'),
      fc.array(fc.nat(), { maxLength: 10 }),
      (sent, between, cuts) => {
        const text = sent.map((object) => JSON.stringify(object) + between).join('');
        const places = cuts.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b);
        const splitter = new JsonSplitter();
        const chunks = [0, ...places].map((from, index) => text.slice(from, places[index] ?? text.length));
        expect(chunks.flatMap((chunk) => splitter.push(chunk)).map((found) => JSON.parse(found))).toEqual(
          sent.map((object) => JSON.parse(JSON.stringify(object))),
        );
      },
    ),
  );
});
