import { fail } from '@callmesh/runtime';
import { backoffMs } from '../../domain/backoff.ts';
import { type EslAddress, EslConnection } from './connection.ts';
import type { EslEvent } from './event.ts';

export interface EslClientListener {
  /** A fresh, authenticated connection: subscribe and reconcile here. A rejection closes it. */
  onOpen(connection: EslConnection): Promise<void>;
  onEvent(event: EslEvent): void;
  /** The connection that `onOpen` was given closed, or could not be used. */
  onClose(reason: string): void;
  /** An attempt failed before there was a connection. */
  onRefused(reason: string): void;
}

/** Keeps one connection to FreeSWITCH for as long as it runs, with a growing pause between attempts. */
export class EslClient {
  readonly #address: EslAddress;
  readonly #listener: EslClientListener;
  #current: EslConnection | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #opened = 0;
  #stopped = false;

  constructor(address: EslAddress, listener: EslClientListener) {
    this.#address = address;
    this.#listener = listener;
  }

  /** How often a connection was made again after the first. */
  get reconnects(): number {
    return Math.max(0, this.#opened - 1);
  }

  /** The open connection. Errors: unavailable; nothing is queued for a later one. */
  get connection(): EslConnection {
    if (!this.#current) throw fail('unavailable', 'no connection to FreeSWITCH');
    return this.#current;
  }

  start(): void {
    void this.#attempt();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#current?.close();
  }

  async #attempt(): Promise<void> {
    try {
      const connection = await EslConnection.open(this.#address, {
        onEvent: (event) => this.#listener.onEvent(event),
        onClose: (reason) => this.#closed(reason),
      });
      if (this.#stopped) return connection.close();
      this.#current = connection;
      this.#opened += 1;
    } catch (error) {
      this.#listener.onRefused((error as Error).message);
      return this.#retry();
    }
    await this.#use(this.#current);
  }

  async #use(connection: EslConnection): Promise<void> {
    try {
      await this.#listener.onOpen(connection);
      this.#failures = 0;
    } catch (error) {
      connection.close((error as Error).message);
    }
  }

  #closed(reason: string): void {
    this.#current = undefined;
    this.#listener.onClose(reason);
    this.#retry();
  }

  #retry(): void {
    if (this.#stopped) return;
    this.#failures += 1;
    this.#timer = setTimeout(() => void this.#attempt(), backoffMs(this.#failures, Math.random()));
  }
}
