import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { Inbox, type Received } from './inbox.ts';
import { parse, type SipMessage } from './message.ts';

export type { Received } from './inbox.ts';

/** Somebody who speaks SIP, whatever over. */
export interface Peer {
  /** Source address. */
  readonly address: string;
  /** What its Via says: transport and sent-by. */
  readonly via: string;
  /** Its Contact URI, unless a test says another. */
  readonly contact: string;
  /** Whoever has a connection needs no address to send to. */
  send(message: string | Buffer, to: { readonly address: string; readonly port: number }): void;
  take(what: string, matches: (message: SipMessage) => boolean, timeoutMs?: number): Promise<Received>;
  takeRequest(method: string, timeoutMs?: number): Promise<Received>;
}

type Handler = (message: SipMessage, from: RemoteInfo) => void;

/** One UDP socket that speaks SIP: it keeps what it received and lets a test wait for more. */
export class SipPeer extends Inbox implements Peer {
  readonly address: string;
  readonly port: number;
  /** Called for each message, for peers that answer by themselves. */
  handler: Handler | undefined;
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    const { address, port } = socket.address();
    super(`${address}:${port}`);
    this.#socket = socket;
    this.address = address;
    this.port = port;
    socket.on('message', (data, from) => {
      const message = parse(data);
      this.handler?.(message, from);
      this.put(message, from);
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

  get via(): string {
    return `UDP ${this.key}`;
  }

  get contact(): string {
    return `sip:pbx@${this.key}`;
  }

  send(message: string | Buffer, to: { readonly address: string; readonly port: number }): void {
    this.#socket.send(message, to.port, to.address);
  }

  close(): void {
    this.#socket.close();
  }
}
