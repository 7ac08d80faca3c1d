/** A W3C traceparent that says: recorded. */
const RECORDED = /\b(00-[0-9a-f]{32}-[0-9a-f]{16})-01\b/g;
const SESSION_ID = /^[0-9a-f]{16}$/;

/** What policy answered. */
export interface Document {
  readonly text: string;
  /** Id of the new session it speaks of; empty when it speaks of none. */
  readonly sessionId: string;
  /** True when it says that there is no such thing. */
  readonly nothing: boolean;
  /** True when the next question of the kind may be answered otherwise, for reasons of the moment. */
  readonly momentary: boolean;
}

/** Reads an answer of policy; undefined for what is no document. */
export function documentOf(text: string, header: (name: string) => string | null): Document | undefined {
  if (!/^\s*<document\b/.test(text)) return undefined;
  const sessionId = header('x-callmesh-session') ?? '';
  return {
    text,
    sessionId: SESSION_ID.test(sessionId) ? sessionId : '',
    nothing: /<result\s+status="not found"/.test(text),
    momentary: /\bno-store\b/.test(header('cache-control') ?? ''),
  };
}

/** The same document about another session, whose steps are no part of the first one's trace. */
export function withSession({ text, sessionId }: Document, id: string): string {
  if (sessionId === '') return text;
  return text.replaceAll(sessionId, id).replaceAll(RECORDED, '$1-00');
}
