import type { SipMessage } from './message.ts';
import { contentLength, headEnd, parseHead, SipSyntaxError } from './parse.ts';

/** More than this without a whole message is not SIP. */
const MAX_BYTES = 256 * 1024;

/**
 * Cuts a TCP stream into messages by Content-Length (RFC 3261 18.3), however
 * the bytes are chunked. Throws SipSyntaxError when the stream cannot be
 * followed any more: the connection is then to be closed.
 */
export class StreamFramer {
  private pending: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): SipMessage[] {
    this.pending = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk]);
    const messages: SipMessage[] = [];
    for (;;) {
      let start = 0;
      while (start < this.pending.length && (this.pending[start] === 13 || this.pending[start] === 10))
        start++;
      if (start > 0) this.pending = this.pending.subarray(start);
      const end = headEnd(this.pending);
      if (!end) break;
      const message = parseHead(this.pending.toString('utf8', 0, end.head));
      const length = contentLength(message.headers) ?? 0;
      if (length > MAX_BYTES) throw new SipSyntaxError('message too large');
      if (this.pending.length < end.body + length) break;
      message.body = this.pending.toString('utf8', end.body, end.body + length);
      this.pending = this.pending.subarray(end.body + length);
      messages.push(message);
    }
    if (this.pending.length > MAX_BYTES) throw new SipSyntaxError('no message in too many bytes');
    return messages;
  }
}
