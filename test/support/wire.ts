import { connect, createServer, type Server, type Socket } from 'node:net';

/** A stretch of network before a server that can be cut: what is sent into a cut wire is lost, nobody is told. */
export class Wire {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #cut = false;
  #port = 0;

  /** `target` is the port on loopback it leads to. */
  constructor(target: number) {
    this.#server = createServer((near) => {
      this.#keep(near);
      // A connection made into a cut wire stays one that nobody answers.
      if (this.#cut) return;
      const far = this.#keep(connect(target, '127.0.0.1'));
      near.on('data', (data) => !this.#cut && far.write(data));
      far.on('data', (data) => !this.#cut && near.write(data));
      near.on('close', () => far.destroy());
      far.on('close', () => !this.#cut && near.destroy());
    });
  }

  get port(): number {
    return this.#port;
  }

  /** Connections that are open on the near side or the far one. */
  get used(): boolean {
    return this.#sockets.size > 0;
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const address = this.#server.address();
    if (address && typeof address === 'object') this.#port = address.port;
    return this;
  }

  cut(): void {
    this.#cut = true;
  }

  /** New connections work again; those that lost something stay dead. */
  heal(): void {
    this.#cut = false;
    for (const socket of this.#sockets) if (socket.readable) socket.pause();
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    return socket;
  }
}
