import { fail } from '@callmesh/runtime';
import type { CommandRecord } from '../src/domain/record.ts';
import type { KeyLog } from '../src/handlers/at-most-once.ts';

/** Idempotency keys as a bucket of NATS keeps them: create-if-absent, compare-and-set. */
export class MemoryLog implements KeyLog {
  readonly #records = new Map<string, { record: CommandRecord; revision: number }>();
  #revision = 0;
  /** What goes wrong with an operation: nothing, before it was done, or after. */
  fault: (operation: 'take' | 'finish' | 'giveBack') => 'none' | 'before' | 'after' = () => 'none';

  async take(tenantId: string, key: string, record: CommandRecord) {
    return this.#do('take', () => {
      const name = `${tenantId}.${key}`;
      const found = this.#records.get(name);
      if (found) return found;
      this.#records.set(name, { record, revision: ++this.#revision });
      return { revision: this.#revision };
    });
  }

  async finish(tenantId: string, key: string, record: CommandRecord, revision: number): Promise<void> {
    await this.#do('finish', () => {
      const name = `${tenantId}.${key}`;
      if (this.#records.get(name)?.revision !== revision) throw fail('unavailable', 'somebody wrote first');
      this.#records.set(name, { record, revision: ++this.#revision });
    });
  }

  async giveBack(tenantId: string, key: string, revision: number): Promise<void> {
    await this.#do('giveBack', () => {
      const name = `${tenantId}.${key}`;
      if (this.#records.get(name)?.revision === revision) this.#records.delete(name);
    });
  }

  async #do<T>(operation: 'take' | 'finish' | 'giveBack', work: () => T): Promise<T> {
    const fault = this.fault(operation);
    if (fault === 'before') throw fail('unavailable', 'NATS is away');
    const result = work();
    if (fault === 'after') throw fail('unavailable', 'NATS did not answer');
    return result;
  }
}
