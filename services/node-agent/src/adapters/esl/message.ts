/** One message of the event socket: a header block and the bytes its Content-Length announced. */
export interface EslMessage {
  /** Header values as sent; of a name that occurs twice the first counts. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

const NO_BODY = Buffer.alloc(0);

/** The message's kind, e.g. "command/reply" or "text/event-plain". */
export function contentType(message: EslMessage): string {
  return message.headers.get('Content-Type') ?? '';
}

export function messageOf(headers: ReadonlyMap<string, string>, body: Buffer = NO_BODY): EslMessage {
  return { headers, body };
}

/**
 * Splits a header block into names and raw values. The separator is colon and
 * space, because FreeSWITCH has names with a colon inside
 * (`variable_nolocal:x: 1`); a line without one is ignored.
 */
export function parseHeaders(block: string): Map<string, string> {
  const headers = new Map<string, string>();
  let at = 0;
  while (at < block.length) {
    const newline = block.indexOf('\n', at);
    const end = newline < 0 ? block.length : newline;
    const colon = separator(block, at, end);
    if (colon > at) {
      const name = block.slice(at, colon);
      if (!headers.has(name)) headers.set(name, block.slice(colon + 1, end).trim());
    }
    at = end + 1;
  }
  return headers;
}

function separator(block: string, from: number, to: number): number {
  const colonSpace = block.indexOf(': ', from);
  if (colonSpace >= 0 && colonSpace < to) return colonSpace;
  const colon = block.indexOf(':', from);
  return colon >= 0 && colon < to ? colon : -1;
}
