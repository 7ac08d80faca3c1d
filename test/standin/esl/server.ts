import { createServer, type Server } from 'node:net';
import { type EslBackend, EslConnection } from './connection.ts';
import type { FsEvent } from './event.ts';

/** The event socket of one node: listens, and hands each event to whoever subscribed. */
export class EslServer {
  private readonly server: Server;
  private readonly connections = new Set<EslConnection>();
  private frozen = false;

  private constructor(backend: Omit<EslBackend, 'closed'>) {
    const full: EslBackend = Object.assign(backend, {
      closed: (connection: EslConnection) => void this.connections.delete(connection),
    });
    this.server = createServer((socket) => {
      const connection = new EslConnection(socket, full);
      if (this.frozen) connection.freeze(true);
      this.connections.add(connection);
    });
  }

  /** Rejects when the address is taken. */
  static open(
    address: { host: string; port: number },
    backend: Omit<EslBackend, 'closed'>,
  ): Promise<EslServer> {
    const esl = new EslServer(backend);
    return new Promise((resolve, reject) => {
      esl.server.once('error', reject);
      esl.server.listen(address.port, address.host, () => resolve(esl));
    });
  }

  get port(): number {
    const address = this.server.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  get clients(): number {
    return this.connections.size;
  }

  wanted(name: string): boolean {
    for (const connection of this.connections) if (connection.wants(name)) return true;
    return false;
  }

  publish(event: FsEvent, subclass?: string): void {
    for (const connection of this.connections) connection.event(event, subclass);
  }

  freeze(frozen: boolean): void {
    this.frozen = frozen;
    for (const connection of this.connections) connection.freeze(frozen);
  }

  /** Tells every client that the switch stops, and closes. */
  goodbye(): void {
    for (const connection of this.connections) connection.goodbye();
  }

  destroy(): void {
    this.server.close();
    for (const connection of this.connections) connection.destroy();
  }
}
