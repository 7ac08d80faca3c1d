import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { documentOf, withSession } from './document.ts';

const hex = fc.stringMatching(/^[0-9a-f]{16}$/);
const headers =
  (given: Record<string, string> = {}) =>
  (name: string) =>
    given[name] ?? null;

describe('an answer of policy', () => {
  it.each(['', 'Bad Gateway', '{"code":"internal"}', '<html><document/></html>', '<documents/>'])(
    'is no document: %j',
    (text) => {
      expect(documentOf(text, headers())).toBeUndefined();
    },
  );

  it('speaks of the session its header names, if that is one', () => {
    const session = (id: string) =>
      documentOf('<document/>', headers({ 'x-callmesh-session': id }))?.sessionId;
    expect(session('0123456789abcdef')).toBe('0123456789abcdef');
    for (const id of ['', 'acme', '0123456789ABCDEF', '0123456789abcdef0']) expect(session(id)).toBe('');
  });

  it('is of the moment when nobody may store it, and nothing when there is no such thing', () => {
    const text =
      '<document type="freeswitch/xml"><section name="result"><result status="not found"/></section></document>';
    expect(documentOf(text, headers())).toMatchObject({ nothing: true, momentary: false });
    const momentary = documentOf('<document/>', headers({ 'cache-control': 'private, no-store' }));
    expect(momentary).toMatchObject({ nothing: false, momentary: true });
  });

  it('is about another session when it is given again, and the same in all else', () => {
    const part = fc.string().filter((text) => !/[0-9a-f]/.test(text));
    fc.assert(
      fc.property(fc.array(part, { minLength: 2 }), hex, hex, (parts, sessionId, fresh) => {
        const about = (id: string) => parts.join(id);
        const document = { text: about(sessionId), sessionId, nothing: false, momentary: false };
        expect(withSession(document, fresh)).toBe(about(fresh));
      }),
    );
  });

  it('that speaks of no session is given as it is', () => {
    const document = { text: '<document/>', sessionId: '', nothing: false, momentary: false };
    expect(withSession(document, '0123456789abcdef')).toBe('<document/>');
  });
});
