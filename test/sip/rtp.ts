import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

/** One end of an audio stream. */
export class RtpEnd {
  readonly port: number;
  /** Payloads that came in. */
  readonly received: string[] = [];
  readonly #socket: Socket;
  #sequence = 1;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.port = (socket.address() as AddressInfo).port;
    socket.on('message', (data) => this.received.push(data.toString('latin1', 12)));
  }

  static async open(address: string): Promise<RtpEnd> {
    const socket = createSocket('udp4');
    socket.bind(0, address);
    await once(socket, 'listening');
    return new RtpEnd(socket);
  }

  /** A packet of payload type 8 (PCMA) with this ASCII text in place of audio. */
  send(text: string, port: number, address = '127.0.0.1'): void {
    const packet = Buffer.alloc(12 + text.length);
    packet.writeUInt8(0x80, 0);
    packet.writeUInt8(8, 1);
    packet.writeUInt16BE(this.#sequence++, 2);
    packet.writeUInt32BE(this.#sequence * 160, 4);
    packet.writeUInt32BE(this.port, 8);
    packet.write(text, 12, 'latin1');
    this.#socket.send(packet, port, address);
  }

  close(): void {
    this.#socket.close();
  }
}
