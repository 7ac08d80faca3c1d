import type { RemoteInfo } from 'node:dgram';
import type { SipMessage } from './message.ts';

export interface Received {
  readonly message: SipMessage;
  /** Who sent it; over a connection, nobody needs to ask. */
  readonly from: RemoteInfo;
}

/** What somebody received: kept in order, and waited for. */
export class Inbox {
  readonly received: Received[] = [];
  readonly #owner: string;
  readonly #waiters = new Set<() => void>();
  readonly #taken = new WeakSet<SipMessage>();

  constructor(owner: string) {
    this.#owner = owner;
  }

  put(message: SipMessage, from: RemoteInfo): void {
    this.received.push({ message, from });
    for (const wake of [...this.#waiters]) wake();
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
        throw new Error(
          `${this.#owner} waited ${timeoutMs} ms for ${what}; it received: ${seen || 'nothing'}`,
        );
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
