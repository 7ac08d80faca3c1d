import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { header, parse, type SipMessage } from './message.ts';
import type { Peer } from './peer.ts';

/** One SIP connection over TCP or TLS, opened by this side; messages are cut by Content-Length. */
export class StreamPeer {
  readonly received: SipMessage[] = [];
  closed = false;
  readonly #socket: Socket;
  #buffer = Buffer.alloc(0);
  #next = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('close', () => {
      this.closed = true;
    });
    socket.on('error', () => {});
  }

  static async tcp(port: number, localAddress = '127.0.0.2'): Promise<StreamPeer> {
    const socket = connectTcp({ host: '127.0.0.1', port, localAddress });
    await once(socket, 'connect');
    return new StreamPeer(socket);
  }

  static async tls(port: number, options: ConnectionOptions): Promise<StreamPeer> {
    const socket = connectTls({ ...options, host: '127.0.0.1', port });
    await once(socket, 'secureConnect');
    return new StreamPeer(socket);
  }

  /** This side's `ip:port`. */
  get key(): string {
    return `${this.#socket.localAddress}:${this.#socket.localPort}`;
  }

  send(message: string | Buffer): void {
    this.#socket.write(message);
  }

  /** The next message that was not taken yet and `matches`; older ones that do not are passed over. */
  async take(what: string, matches: (message: SipMessage) => boolean, timeoutMs = 4000): Promise<SipMessage> {
    const deadline = Date.now() + timeoutMs;
    while (Date.now() < deadline) {
      while (this.#next < this.received.length) {
        const message = this.received[this.#next++];
        if (message && matches(message)) return message;
      }
      await Promise.race([once(this.#socket, 'data'), new Promise((resolve) => setTimeout(resolve, 50))]);
    }
    throw new Error(`waited for ${what}; received: ${this.received.map((m) => m.startLine).join(' | ')}`);
  }

  /** This connection as somebody who speaks SIP. */
  asPeer(transport: 'TCP' | 'TLS'): Peer {
    const take: Peer['take'] = async (what, matches, timeoutMs) => ({
      message: await this.take(what, matches, timeoutMs),
      from: { address: '', port: 0, family: 'IPv4', size: 0 },
    });
    return {
      address: this.#socket.localAddress ?? '',
      via: `${transport} ${this.key}`,
      contact: `sip:phone@${this.key};transport=${transport.toLowerCase()}`,
      send: (message) => this.send(message),
      take,
      takeRequest: (method, timeoutMs) => take(method, (m) => m.method === method, timeoutMs),
    };
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    for (;;) {
      const end = this.#buffer.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length =
        end + 4 + Number(header(parse(this.#buffer.subarray(0, end + 4)), 'Content-Length') || 0);
      if (this.#buffer.length < length) return;
      this.received.push(parse(this.#buffer.subarray(0, length)));
      this.#buffer = this.#buffer.subarray(length);
    }
  }
}
