import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { parse, type SipMessage } from './message.ts';

export interface Received {
  readonly message: SipMessage;
  readonly from: RemoteInfo;
}

type Handler = (message: SipMessage, from: RemoteInfo) => void;

/** One UDP socket that speaks SIP: it keeps what it received and lets a test wait for more. */
export class SipPeer {
  readonly address: string;
  readonly port: number;
  /** Everything that came in, in order. */
  readonly received: Received[] = [];
  /** Called for each message, for peers that answer by themselves. */
  handler: Handler | undefined;
  readonly #socket: Socket;
  readonly #waiters = new Set<() => void>();
  readonly #taken = new WeakSet<SipMessage>();

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.address = socket.address().address;
    this.port = socket.address().port;
    socket.on('message', (data, from) => {
      const message = parse(data);
      this.received.push({ message, from });
      this.handler?.(message, from);
      for (const wake of [...this.#waiters]) wake();
    });
  }

  /** Any address of 127.0.0.0/8 works, so a test can have several parties with addresses of their own. */
  static async open(address = '127.0.0.1', port = 0): Promise<SipPeer> {
    const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
    socket.bind(port, address);
    await once(socket, 'listening');
    return new SipPeer(socket);
  }

  /** `ip:port`, as tables of the edge name it. */
  get key(): string {
    return `${this.address}:${this.port}`;
  }

  send(message: string | Buffer, to: { readonly address: string; readonly port: number }): void {
    this.#socket.send(message, to.port, to.address);
  }

  /** The next message nobody waited for yet that `matches`; fails with what came instead. */
  async take(what: string, matches: (message: SipMessage) => boolean, timeoutMs = 4000): Promise<Received> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const found = this.received.find((r) => !this.#taken.has(r.message) && matches(r.message));
      if (found) {
        this.#taken.add(found.message);
        return found;
      }
      const left = deadline - Date.now();
      if (left <= 0) {
        const seen = this.received.map((r) => r.message.startLine).join(' | ');
        throw new Error(`${this.key} waited ${timeoutMs} ms for ${what}; it received: ${seen || 'nothing'}`);
      }
      await this.#changed(left);
    }
  }

  takeRequest(method: string, timeoutMs?: number): Promise<Received> {
    return this.take(method, (m) => m.method === method, timeoutMs);
  }

  count(method: string): number {
    return this.received.filter((r) => r.message.method === method).length;
  }

  close(): void {
    this.#socket.close();
  }

  #changed(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiters.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, timeoutMs);
      this.#waiters.add(wake);
    });
  }
}
