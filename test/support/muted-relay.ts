import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A TCP relay that can lose what the far end says, or be cut: what was said to it still arrives. */
export class MutedRelay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #muted = false;
  #open = true;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async to(port: number): Promise<MutedRelay> {
    const server = createServer();
    const relay = new MutedRelay(server);
    server.on('connection', (near) => relay.#accept(near, port));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return relay;
  }

  get url(): string {
    return `nats://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** From now on nothing comes back. */
  mute(): void {
    this.#muted = true;
  }

  /** Ends every connection and takes no new one until `mend`. */
  cut(): void {
    this.#open = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#open = true;
    this.#muted = false;
  }

  close(): void {
    this.cut();
    this.#server.close();
  }

  #accept(near: Socket, port: number): void {
    if (!this.#open) return void near.destroy();
    const far = connect(port, '127.0.0.1');
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
    near.on('data', (bytes) => far.write(bytes));
    far.on('data', (bytes) => this.#muted || near.write(bytes));
  }
}
