import { Headers, type SipMessage } from './message.ts';

/** What arrived is not a SIP message. */
export class SipSyntaxError extends Error {
  override name = 'SipSyntaxError';
}

const CR = 13;
const LF = 10;

/**
 * Parses one whole message as it comes in a datagram. Tolerant where the
 * RFC asks for it (section 7.5 and torture tests of RFC 4475): lone LF, folded
 * lines, blank lines before the start line, blanks around the colon, bytes
 * after the body. Throws SipSyntaxError; a keep-alive (RFC 5626) is undefined.
 */
export function parseMessage(data: Buffer): SipMessage | undefined {
  let start = 0;
  while (start < data.length && (data[start] === CR || data[start] === LF || data[start] === 0)) start++;
  if (start === data.length) return undefined;
  const end = headEnd(data, start);
  if (!end) throw new SipSyntaxError('no blank line ends the header');
  const message = parseHead(data.toString('utf8', start, end.head));
  const length = contentLength(message.headers);
  const available = data.length - end.body;
  if (length !== undefined && length > available) {
    throw new SipSyntaxError(`Content-Length ${length}, but ${available} bytes of body`);
  }
  message.body = data.toString('utf8', end.body, end.body + (length ?? available));
  return message;
}

/** Where the header ends and the body begins, or undefined while no blank line is there. */
export function headEnd(data: Buffer, from = 0): { head: number; body: number } | undefined {
  for (let at = data.indexOf(LF, from); at >= 0; at = data.indexOf(LF, at + 1)) {
    if (data[at + 1] === LF) return { head: at, body: at + 2 };
    if (data[at + 1] === CR && data[at + 2] === LF) return { head: at, body: at + 3 };
  }
  return undefined;
}

/** Parses start line and header fields (no body). Throws SipSyntaxError. */
export function parseHead(text: string): SipMessage {
  const lines = text.split(/\r?\n/);
  const message = parseStartLine(lines[0]?.trimEnd() ?? '');
  const fields = message.headers.fields;
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i] as string;
    if (line.charCodeAt(0) === 32 || line.charCodeAt(0) === 9) {
      const last = fields.at(-1);
      if (!last) throw new SipSyntaxError('a folded line without a header field before it');
      last.value = `${last.value} ${line.trim()}`;
      continue;
    }
    if (line.trim() === '') continue;
    const colon = line.indexOf(':');
    const name = colon < 0 ? '' : line.slice(0, colon).trim();
    if (!TOKEN.test(name))
      throw new SipSyntaxError(`not a header field: ${JSON.stringify(line.slice(0, 60))}`);
    message.headers.add(name, line.slice(colon + 1).trim());
  }
  return message;
}

const TOKEN = /^[A-Za-z0-9\-.!%*_+`'~]+$/;

function parseStartLine(line: string): SipMessage {
  const headers = new Headers();
  if (/^SIP\/2\.0 /i.test(line)) {
    const match = /^SIP\/2\.0 +([1-6]\d\d)(?: +(.*))?$/i.exec(line);
    if (!match) throw new SipSyntaxError(`bad status line ${JSON.stringify(line.slice(0, 60))}`);
    return { kind: 'response', status: Number(match[1]), reason: match[2] ?? '', headers, body: '' };
  }
  const match = /^(\S+) +(\S+) +SIP\/2\.0$/i.exec(line);
  if (!match || !TOKEN.test(match[1] as string)) {
    throw new SipSyntaxError(`bad request line ${JSON.stringify(line.slice(0, 60))}`);
  }
  return { kind: 'request', method: match[1] as string, uri: match[2] as string, headers, body: '' };
}

/** The Content-Length header field; undefined when there is none. Throws SipSyntaxError when it is not a number. */
export function contentLength(headers: Headers): number | undefined {
  const value = headers.get('content-length');
  if (value === undefined) return undefined;
  if (!/^\d{1,9}$/.test(value)) throw new SipSyntaxError(`bad Content-Length ${JSON.stringify(value)}`);
  return Number(value);
}

const MANDATORY = ['via', 'from', 'to', 'call-id', 'cseq'];

/** What a request lacks before a transaction can be made of it (RFC 3261 8.1.1), or undefined when it is whole. */
export function missingField(message: SipMessage): string | undefined {
  return MANDATORY.find((name) => !message.headers.get(name));
}
