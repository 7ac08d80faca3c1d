import { RecoverySnapshot } from '@callmesh/proto/takeover';
import {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  JetStreamApiError,
  type JetStreamManager,
  jetstreamManager,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/nats-core';
import { fail } from '../errors.ts';
import { decode, encode, token } from '../events/json.ts';
import type { Nats } from '../nats.ts';

const STREAM = 'KV_recovery';
const SUBJECT = '$KV.recovery';
/** Longest wait for an answer of JetStream, milliseconds. */
const ANSWER_MS = 2_000;
/** How long a snapshot outlives its last writing: nodes that never come back fetch theirs no more. */
const KEPT_MS = 6 * 3_600_000;
/** Snapshots of one list that are fetched at once. */
const BATCH = 200;
/** JetStream's error codes: another revision is there; nothing is; the stream is there and differs. */
const OTHER_REVISION = [10071, 10164];
const NO_MESSAGE = 10037;
const OTHER_CONFIG = 10058;

/** A snapshot and the revision that wrote it last. */
export interface Kept {
  readonly snapshot: RecoverySnapshot;
  readonly revision: number;
}

/** The recovery snapshots of all nodes, one per answered leg, in a JetStream KV bucket. Errors: unavailable. */
export class RecoveryStore {
  readonly #nats: Nats;
  #manager: Promise<JetStreamManager> | undefined;

  constructor(nats: Nats) {
    this.#nats = nats;
  }

  /** Writes a leg's snapshot, whatever was there. */
  async put(snapshot: RecoverySnapshot): Promise<void> {
    await this.#write(snapshot, {});
  }

  /** Writes it if nobody has since `revision`, 0 for never, and returns the new one; undefined when somebody has. */
  async replace(snapshot: RecoverySnapshot, revision: number): Promise<number | undefined> {
    const expect = { expect: { lastSubjectSequence: revision } };
    try {
      return await this.#write(snapshot, expect);
    } catch (error) {
      if (OTHER_REVISION.includes(codeOf(error))) return undefined;
      throw error;
    }
  }

  /** Tells of each writing of a node's legs that comes while NATS is there. */
  watch(nodeId: string, onWritten: (snapshot: RecoverySnapshot) => void): { close(): void } {
    const all = `${SUBJECT}.${token(nodeId)}.*`;
    return this.#nats.subscribe(all, (message) => onWritten(decode(RecoverySnapshot, message)));
  }

  async get(nodeId: string, legUuid: string): Promise<Kept | undefined> {
    const manager = await this.#open();
    try {
      const found = await manager.streams.getMessage(STREAM, { last_by_subj: subjectOf(nodeId, legUuid) });
      return found ? { snapshot: decode(RecoverySnapshot, found), revision: found.seq } : undefined;
    } catch (error) {
      if (error instanceof JetStreamApiError && error.code === NO_MESSAGE) return undefined;
      throw error;
    }
  }

  /** Forgets a leg; one that is not there is no error. */
  async remove(nodeId: string, legUuid: string): Promise<void> {
    const manager = await this.#open();
    await manager.streams.purge(STREAM, { filter: subjectOf(nodeId, legUuid) });
  }

  /** All of one node's lives, in order of writing. */
  async list(nodeId: string): Promise<Kept[]> {
    const manager = await this.#open();
    const { name, num_pending } = await manager.consumers.add(STREAM, {
      filter_subject: `${SUBJECT}.${token(nodeId)}.*`,
      deliver_policy: DeliverPolicy.LastPerSubject,
      ack_policy: AckPolicy.None,
      inactive_threshold: nanos(4 * ANSWER_MS),
    });
    const consumer = await this.#nats.js.consumers.get(STREAM, name);
    const kept: Kept[] = [];
    while (kept.length < num_pending) {
      const before = kept.length;
      const max_messages = Math.min(BATCH, num_pending - before);
      for await (const message of await consumer.fetch({ max_messages, expires: ANSWER_MS }))
        kept.push({ snapshot: decode(RecoverySnapshot, message), revision: message.seq });
      // Removed meanwhile: there will be no more.
      if (kept.length === before) break;
    }
    await manager.consumers.delete(STREAM, name).catch(() => {});
    return kept;
  }

  async #write(snapshot: RecoverySnapshot, options: object): Promise<number> {
    await this.#open();
    const subject = subjectOf(snapshot.life?.nodeId ?? '', snapshot.legUuid);
    try {
      const payload = encode(RecoverySnapshot, snapshot);
      return (await this.#nats.js.publish(subject, payload, { timeout: ANSWER_MS, ...options })).seq;
    } catch (error) {
      // The store may have lost its streams: they are made again.
      if (!OTHER_REVISION.includes(codeOf(error))) this.#manager = undefined;
      throw error;
    }
  }

  /** The stream is made, or found, once per connection that works. */
  #open(): Promise<JetStreamManager> {
    if (!this.#nats.connected) throw fail('unavailable', 'NATS is away');
    this.#manager ??= ensure(this.#nats).catch((error) => {
      this.#manager = undefined;
      throw error;
    });
    return this.#manager;
  }
}

function subjectOf(nodeId: string, legUuid: string): string {
  return `${SUBJECT}.${token(nodeId)}.${token(legUuid)}`;
}

function codeOf(error: unknown): number {
  const cause = error instanceof JetStreamApiError ? error : (error as { cause?: unknown }).cause;
  return cause instanceof JetStreamApiError ? cause.code : 0;
}

async function ensure(nats: Nats): Promise<JetStreamManager> {
  const manager = await jetstreamManager(nats.connection, { timeout: ANSWER_MS });
  const config = {
    subjects: [`${SUBJECT}.>`],
    max_msgs_per_subject: 1,
    max_age: nanos(KEPT_MS),
    num_replicas: nats.replicas,
    discard: DiscardPolicy.New,
    allow_rollup_hdrs: true,
    deny_delete: false,
  };
  try {
    await manager.streams.add({ name: STREAM, ...config });
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.code !== OTHER_CONFIG) throw error;
  }
  return manager;
}
