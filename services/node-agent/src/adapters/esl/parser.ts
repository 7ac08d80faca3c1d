import { fail } from '@callmesh/runtime';
import { type EslMessage, messageOf, parseHeaders } from './message.ts';

/** Most bytes of a header block: FreeSWITCH's own outer headers take a few hundred. */
export const MAX_HEADERS = 64 * 1024;
/** Most bytes of a body: `show channels as json` of 10,000 channels is about 10 MB. */
export const MAX_BODY = 32 * 1024 * 1024;

const NEWLINE = 0x0a;
const DIGITS = /^\d{1,10}$/;

interface Pending {
  readonly headers: Map<string, string>;
  readonly length: number;
}

/**
 * Turns the byte stream of an event socket into messages, wherever the network
 * split it. Memory is bounded: a header block or an announced length beyond its
 * limit is an `invalid_argument` error, after which the stream cannot be trusted
 * and the parser refuses everything.
 */
export class EslParser {
  #buffer = Buffer.alloc(16 * 1024);
  #start = 0;
  #end = 0;
  /** Where the search for the end of the headers goes on. */
  #scan = 0;
  #pending: Pending | undefined;
  #broken = false;

  /** Bytes that are held and not yet part of a whole message. */
  get buffered(): number {
    return this.#end - this.#start;
  }

  /** Takes a chunk and returns the messages it completes, in order. */
  push(chunk: Uint8Array): EslMessage[] {
    if (this.#broken) throw fail('invalid_argument', 'the event socket stream is broken');
    this.#append(chunk);
    const messages: EslMessage[] = [];
    try {
      for (let message = this.#next(); message; message = this.#next()) messages.push(message);
    } catch (error) {
      this.#broken = true;
      throw error;
    }
    return messages;
  }

  #append(chunk: Uint8Array): void {
    if (this.#end + chunk.length > this.#buffer.length) this.#makeRoom(chunk.length);
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  #makeRoom(extra: number): void {
    const held = this.buffered;
    let size = this.#buffer.length;
    while (size < held + extra) size *= 2;
    // Bodies handed out are copies, so the bytes may move within the same buffer.
    const target = size === this.#buffer.length ? this.#buffer : Buffer.alloc(size);
    this.#buffer.copy(target, 0, this.#start, this.#end);
    this.#buffer = target;
    this.#scan -= this.#start;
    this.#start = 0;
    this.#end = held;
  }

  #next(): EslMessage | undefined {
    this.#pending ??= this.#readHeaders();
    if (!this.#pending || this.buffered < this.#pending.length) return undefined;
    const { headers, length } = this.#pending;
    const body = Buffer.from(this.#buffer.subarray(this.#start, this.#start + length));
    this.#consume(length);
    this.#pending = undefined;
    return messageOf(headers, body);
  }

  #readHeaders(): Pending | undefined {
    while (this.#start < this.#end && this.#buffer[this.#start] === NEWLINE) this.#consume(1);
    const found = this.#buffer.subarray(0, this.#end).indexOf('\n\n', this.#scan, 'latin1');
    const size = (found < 0 ? this.#end : found) - this.#start;
    if (size > MAX_HEADERS)
      throw fail('invalid_argument', `event socket headers exceed ${MAX_HEADERS} bytes`);
    if (found < 0) {
      this.#scan = Math.max(this.#start, this.#end - 1);
      return undefined;
    }
    const headers = parseHeaders(this.#buffer.toString('utf8', this.#start, found));
    this.#consume(found + 2 - this.#start);
    return { headers, length: bodyLength(headers.get('Content-Length')) };
  }

  #consume(bytes: number): void {
    this.#start += bytes;
    if (this.#start === this.#end) {
      this.#start = 0;
      this.#end = 0;
    }
    this.#scan = this.#start;
  }
}

function bodyLength(value: string | undefined): number {
  if (value === undefined) return 0;
  if (!DIGITS.test(value))
    throw fail('invalid_argument', `Content-Length is not a number: ${value.slice(0, 40)}`);
  const length = Number(value);
  if (length > MAX_BODY) throw fail('invalid_argument', `Content-Length ${length} exceeds ${MAX_BODY}`);
  return length;
}
