import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { loudness, samplesOf, share, toneFrame } from './audio.ts';

const PCMA = 8;
/** Payload type of RFC 4733 digits, as the offers of the tests say. */
export const DIGITS_PT = 101;
const DIGITS = '0123456789*#ABCD';
const PACKET_MS = 20;
/** How much of what came is listened to, milliseconds. */
const HEARD_MS = 500;
/** Packets it takes to tell one tone from another. */
const ENOUGH = 10;

/** One end of an audio stream. */
export class RtpEnd {
  readonly port: number;
  /** Payloads that came in. */
  readonly received: string[] = [];
  /** Digits that came in (RFC 4733). */
  digits = '';
  readonly #socket: Socket;
  readonly #heard: { readonly at: number; readonly payload: Buffer }[] = [];
  #sequence = 1;
  #timestamp = 0;
  #lastDigit = -1;
  #frame = 0;
  #tone = 0;
  #talking: NodeJS.Timeout | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.port = (socket.address() as AddressInfo).port;
    socket.on('message', (data) => this.#take(data));
  }

  static async open(address: string): Promise<RtpEnd> {
    const socket = createSocket('udp4');
    socket.bind(0, address);
    await once(socket, 'listening');
    return new RtpEnd(socket);
  }

  /** A packet of payload type 8 (PCMA) with this ASCII text in place of audio. */
  send(text: string, port: number, address = '127.0.0.1'): void {
    this.#packet(PCMA, Buffer.from(text, 'latin1'), port, address);
  }

  /** From now on a packet each 20 ms: a tone, or silence (0); again with another changes it. */
  talk(hertz: number, port: number, address = '127.0.0.1'): void {
    this.#tone = hertz;
    clearInterval(this.#talking);
    let sent = 0;
    const begun = performance.now();
    // By the clock, not by the timer: a timer of a busy process is late, and packets would be missing.
    this.#talking = setInterval(() => {
      for (; sent < (performance.now() - begun) / PACKET_MS; sent += 1)
        this.#packet(PCMA, toneFrame(this.#tone, this.#frame++), port, address);
    }, PACKET_MS);
  }

  /** Sends nothing any more, not even silence. */
  stop(): void {
    clearInterval(this.#talking);
  }

  /** One digit (RFC 4733): three packets, of which the last says it is over, sent three times. */
  digit(digit: string, ms: number, port: number, address = '127.0.0.1'): void {
    const timestamp = this.#timestamp;
    const event = (samples: number, end: boolean) => {
      const payload = Buffer.from([DIGITS.indexOf(digit), end ? 0x8a : 0x0a, samples >> 8, samples & 0xff]);
      this.#packet(DIGITS_PT, payload, port, address, timestamp);
    };
    for (const part of [0.3, 0.6]) event(Math.round(ms * 8 * part), false);
    for (let times = 0; times < 3; times++) event(ms * 8, true);
    this.#timestamp += ms * 8;
  }

  /** How loud the last half second was; 0 when nothing came. */
  get loudness(): number {
    return loudness(samplesOf(this.#lately()));
  }

  /** How much of the last half second is this tone, 0 to 1. */
  hears(hertz: number): number {
    const heard = this.#lately();
    return heard.length < ENOUGH ? 0 : share(samplesOf(heard), hertz);
  }

  close(): void {
    clearInterval(this.#talking);
    this.#socket.close();
  }

  #take(data: Buffer): void {
    this.received.push(data.toString('latin1', 12));
    const type = data.readUInt8(1) & 0x7f;
    if (type === DIGITS_PT) this.#takeDigit(data);
    if (type !== PCMA) return;
    this.#heard.push({ at: performance.now(), payload: Buffer.from(data.subarray(12)) });
    this.#lately();
  }

  #lately(): Buffer[] {
    const from = performance.now() - HEARD_MS;
    while (this.#heard[0] && this.#heard[0].at < from) this.#heard.shift();
    return this.#heard.map(({ payload }) => payload);
  }

  /** The end of a digit comes three times, under one timestamp. */
  #takeDigit(data: Buffer): void {
    const timestamp = data.readUInt32BE(4);
    if ((data.readUInt8(13) & 0x80) === 0 || timestamp === this.#lastDigit) return;
    this.#lastDigit = timestamp;
    this.digits += DIGITS[data.readUInt8(12)] ?? '?';
  }

  #packet(type: number, payload: Buffer, port: number, address: string, timestamp?: number): void {
    const head = Buffer.alloc(12);
    head.writeUInt8(0x80, 0);
    head.writeUInt8(type, 1);
    head.writeUInt16BE(this.#sequence++ & 0xffff, 2);
    head.writeUInt32BE((timestamp ?? this.#timestamp) >>> 0, 4);
    head.writeUInt32BE(this.port, 8);
    if (timestamp === undefined) this.#timestamp += payload.length;
    this.#socket.send(Buffer.concat([head, payload]), port, address);
  }
}
