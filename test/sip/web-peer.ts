import { randomBytes } from 'node:crypto';
import { WebSocket } from 'ws';
import { Inbox } from './inbox.ts';
import { parse, type SipMessage } from './message.ts';
import type { Peer } from './peer.ts';

export interface WebOptions {
  readonly origin?: string;
  readonly localAddress?: string;
  /** Of a wss: server. */
  readonly ca?: Buffer;
  /** Default "sip" (RFC 7118 section 4). */
  readonly protocol?: string;
}

/** The page of the agents in most tests. */
export const page = 'https://agents.acme.example';

/** One WebSocket of a browser, as far as SIP sees it: it knows no address of its own (RFC 7118 section 5). */
export class WebPeer extends Inbox implements Peer {
  readonly address: string;
  readonly via: string;
  contact: string;
  /** Called for each message, for agents that answer by themselves. */
  handler: ((message: SipMessage) => void) | undefined;
  closed = false;
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket, address: string) {
    super('browser');
    const invalid = `${randomBytes(6).toString('hex')}.invalid`;
    this.#socket = socket;
    this.address = address;
    this.via = `WS ${invalid}`;
    this.contact = `sip:${randomBytes(4).toString('hex')}@${invalid};transport=ws`;
    socket.on('message', (data: Buffer) => {
      const message = parse(data);
      this.handler?.(message);
      this.put(message, { address: '', port: 0, family: 'IPv4', size: data.length });
    });
    socket.on('close', () => {
      this.closed = true;
    });
  }

  /** Errors: HTTP status and reason of a refused handshake in the message. */
  static async open(url: string, options: WebOptions = {}): Promise<WebPeer> {
    const { origin = page, localAddress = '127.0.0.3', ca, protocol = 'sip' } = options;
    const socket = new WebSocket(url, [protocol], {
      ...(origin && { origin }),
      ...(ca && { ca, checkServerIdentity: () => undefined }),
      localAddress,
      perMessageDeflate: false,
    });
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.on('error', reject);
      socket.once('unexpected-response', (_, { statusCode, statusMessage }) => {
        reject(new Error(`${statusCode} ${statusMessage}`));
        socket.terminate();
      });
    });
    return new WebPeer(socket, localAddress);
  }

  send(message: string | Buffer): void {
    this.#socket.send(message.toString('latin1'));
  }

  /** Bytes below the SIP, as a hostile client sends them. */
  sendRaw(bytes: Buffer): void {
    (this.#socket as unknown as { _socket: { write(b: Buffer): void } })._socket.write(bytes);
  }

  /** Closes as a browser does that leaves the page. */
  close(): void {
    this.#socket.close();
  }

  /** Pulls the plug: TCP ends without a word of WebSocket. */
  drop(): void {
    this.#socket.terminate();
  }

  /** Goes on living and hears nothing any more, as behind a network that fell silent. */
  freeze(): void {
    this.#socket.pause();
  }
}
