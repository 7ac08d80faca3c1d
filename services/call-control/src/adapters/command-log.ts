import { createHash } from 'node:crypto';
import { fail, type Nats } from '@callmesh/runtime';
import { JetStreamApiError, jetstream } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import type { CommandRecord } from '../domain/record.ts';

const BUCKET = 'commands';
/** How long a key is remembered, milliseconds. */
const KEPT_MS = 3_600_000;
const TIMEOUT_MS = 1_000;
/** JetStream: somebody else wrote first. */
const WRONG_LAST_SEQUENCE = [10071, 10164];

/** A record and the revision it was read or written at. */
export interface Kept {
  readonly record: CommandRecord;
  readonly revision: number;
}

/** Idempotency keys and what came of them, shared by all replicas: a NATS KV bucket. */
export class CommandLog {
  readonly #nats: Nats;
  #bucket: KV | undefined;

  constructor(nats: Nats) {
    this.#nats = nats;
  }

  /**
   * Takes a key for this request; returns what is kept when it was taken before.
   * Error: unavailable when NATS is; the key may then be taken for as long as its
   * record says, which costs a repetition and never a second execution.
   */
  async take(tenantId: string, key: string, record: CommandRecord): Promise<Kept | { revision: number }> {
    return this.#ask(async (bucket) => {
      const name = nameOf(tenantId, key);
      try {
        return { revision: await bucket.create(name, JSON.stringify(record)) };
      } catch (error) {
        if (!isTaken(error)) throw error;
        const entry = await bucket.get(name);
        if (entry?.operation !== 'PUT') throw fail('conflict', 'the key was just given back');
        return { record: entry.json<CommandRecord>(), revision: entry.revision };
      }
    });
  }

  /** Says what came of it. Best effort: without it a repetition learns that nobody knows. */
  async finish(tenantId: string, key: string, record: CommandRecord, revision: number): Promise<void> {
    await this.#ask((bucket) => bucket.update(nameOf(tenantId, key), JSON.stringify(record), revision));
  }

  /** Gives the key back: nothing was done under it. */
  async giveBack(tenantId: string, key: string, revision: number): Promise<void> {
    await this.#ask((bucket) => bucket.purge(nameOf(tenantId, key), { previousSeq: revision }));
  }

  async #ask<T>(question: (bucket: KV) => Promise<T>): Promise<T> {
    if (!this.#nats.connected) throw fail('unavailable', 'NATS is away: nothing was done');
    try {
      const client = jetstream(this.#nats.connection, { timeout: TIMEOUT_MS });
      this.#bucket ??= await new Kvm(client).create(BUCKET, {
        ttl: KEPT_MS,
        history: 1,
        replicas: this.#nats.replicas,
        timeout: TIMEOUT_MS,
        // Reads go to the stream's leader: a copy may be behind one's own write.
        allow_direct: false,
      });
      return await question(this.#bucket);
    } catch (error) {
      if (error instanceof Error && error.name === 'CallmeshError') throw error;
      // A server that lost its data lost the bucket: it is made anew by whoever asks next.
      this.#bucket = undefined;
      throw fail('unavailable', `idempotency keys cannot be kept: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
}

function isTaken(error: unknown): boolean {
  return error instanceof JetStreamApiError && WRONG_LAST_SEQUENCE.includes(error.code);
}

/** Keys of callers hold anything; those of a bucket do not. */
function nameOf(tenantId: string, key: string): string {
  return `${tenantId}.${createHash('sha256').update(key).digest('hex').slice(0, 40)}`;
}
