import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { SipMessage } from './message.ts';
import { parseMessage } from './parse.ts';
import { StreamFramer } from './stream.ts';
import type { Target } from './uri.ts';

/** Where a message came from; over TCP the answer goes back on the same connection. */
export interface Peer extends Target {
  connection?: Socket;
}

export interface TransportOptions {
  host: string;
  /** 0 takes any free port. */
  port: number;
  /** Listen on TCP too, at the same port number. Outgoing TCP works either way. */
  tcp?: boolean;
}

/** What a frozen process's socket buffer would hold before the kernel drops datagrams. */
const HELD_MESSAGES = 256;

/** UDP and TCP sockets of one SIP address. Sends and receives; knows nothing of transactions. */
export class SipTransport {
  onMessage: (message: SipMessage, peer: Peer) => void = () => {};
  /** Bytes that are no SIP message. */
  onGarbage: (error: Error, data: Buffer, peer: Peer) => void = () => {};
  readonly host: string;
  private readonly udp: UdpSocket;
  private tcp: Server | undefined;
  private readonly connections = new Map<string, Socket>();
  private readonly accepted = new Set<Socket>();
  private held: (() => void)[] | undefined;
  private closed = false;

  private constructor(host: string) {
    this.host = host;
    // Only addresses come here: dgram's default look-up would cost a tick per datagram.
    this.udp = createSocket({
      type: host.includes(':') ? 'udp6' : 'udp4',
      recvBufferSize: 4 * 1024 * 1024,
      lookup: (name, _options, done) => done(null, name, host.includes(':') ? 6 : 4),
    });
    this.udp.on('error', () => {});
    this.udp.on('message', (data, { address, port }) =>
      this.datagram(data, { transport: 'udp', host: address, port }),
    );
  }

  /** Binds the sockets. Rejects when the address is taken. */
  static async open(options: TransportOptions): Promise<SipTransport> {
    for (let attempt = 0; ; attempt++) {
      const transport = new SipTransport(options.host);
      try {
        await transport.bindUdp(options.port);
        if (options.tcp) await transport.bindTcp(transport.port);
        return transport;
      } catch (error) {
        transport.destroy();
        // A free UDP port can be taken on TCP: try another one.
        if (options.port !== 0 || attempt >= 20) throw error;
      }
    }
  }

  get port(): number {
    return this.udp.address().port;
  }

  /** Sends; `failed` is called when the far end of a TCP connection is not to be had. Without effect once closed. */
  send(
    text: string,
    target: Target,
    options: { connection?: Socket; failed?: (error: Error) => void } = {},
  ): void {
    if (this.closed || this.held) return;
    if (target.transport === 'udp') {
      this.udp.send(text, target.port, target.host, () => {});
      return;
    }
    const known = options.connection;
    const socket = known && !known.destroyed ? known : this.connectionTo(target);
    // A write on a connection that fails calls back with the error; nothing else says so.
    socket.write(text, (error) => error && options.failed?.(error));
  }

  /**
   * Frozen, nothing is read or sent, and the sockets stay open; what arrives
   * meanwhile is seen on thawing, as after SIGSTOP and SIGCONT.
   */
  freeze(frozen: boolean): void {
    const sockets = [...this.accepted, ...this.connections.values()];
    if (frozen) {
      this.held ??= [];
      for (const socket of sockets) socket.pause();
      return;
    }
    const held = this.held ?? [];
    this.held = undefined;
    for (const socket of sockets) socket.resume();
    for (const deliver of held) deliver();
  }

  /** Closes everything at once; connections are reset. */
  destroy(): void {
    if (this.closed) return;
    this.closed = true;
    try {
      this.udp.close();
    } catch {
      // Never bound.
    }
    this.tcp?.close();
    for (const socket of [...this.accepted, ...this.connections.values()]) socket.resetAndDestroy();
  }

  private bindUdp(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.udp.once('error', reject);
      this.udp.bind({ port, address: this.host, exclusive: true }, () => {
        this.udp.off('error', reject);
        resolve();
      });
    });
  }

  private bindTcp(port: number): Promise<void> {
    const server = createServer((socket) => {
      this.accepted.add(socket);
      socket.on('close', () => this.accepted.delete(socket));
      this.follow(socket);
    });
    this.tcp = server;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, this.host, () => resolve());
    });
  }

  private connectionTo(target: Target): Socket {
    const key = `${target.host}:${target.port}`;
    const open = this.connections.get(key);
    if (open && !open.destroyed) return open;
    const socket = connect({ host: target.host, port: target.port, noDelay: true });
    this.connections.set(key, socket);
    socket.on('close', () => this.connections.get(key) === socket && this.connections.delete(key));
    this.follow(socket);
    return socket;
  }

  private follow(socket: Socket): void {
    const framer = new StreamFramer();
    socket.setNoDelay(true);
    socket.setMaxListeners(0);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      const peer: Peer = {
        transport: 'tcp',
        host: socket.remoteAddress ?? '',
        port: socket.remotePort ?? 0,
        connection: socket,
      };
      try {
        for (const message of framer.push(chunk)) this.deliver(() => this.onMessage(message, peer));
      } catch (error) {
        this.onGarbage(error as Error, chunk, peer);
        socket.destroy();
      }
    });
  }

  private datagram(data: Buffer, peer: Peer): void {
    this.deliver(() => {
      try {
        const message = parseMessage(data);
        if (message) this.onMessage(message, peer);
      } catch (error) {
        this.onGarbage(error as Error, data, peer);
      }
    });
  }

  private deliver(run: () => void): void {
    if (this.closed) return;
    if (!this.held) run();
    else if (this.held.length < HELD_MESSAGES) this.held.push(run);
  }
}
