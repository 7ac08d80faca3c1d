import {
  JetStreamApiError,
  type JetStreamManager,
  jetstreamManager,
  RetentionPolicy,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/nats-core';
import type { Nats } from '../../nats.ts';
import { type JsonMessage, token } from '../json.ts';

/** Where a kind of event is kept. */
export interface StreamSpec {
  /** For logs, health and metrics, e.g. "call". */
  readonly name: string;
  readonly stream: string;
  /** First tokens of every subject; two more follow: whose, and what. */
  readonly subject: string;
  /** How long events are kept for whoever was away, milliseconds. */
  readonly keptMs: number;
  /** Within this an event that is sent again is recognised by its id, milliseconds. */
  readonly deduplicatedMs: number;
}

/** A kind of event that JetStream keeps, and how one is written and named. */
export interface Family<T> extends StreamSpec {
  readonly type: JsonMessage<T>;
  /** Whose it is and what it is: the last two tokens of its subject. */
  place(event: T): readonly [tenant: string, what: string];
  /** Names the event once, however often it is sent. */
  id(event: T): string;
  /** Events of one publisher with the same key arrive in the order they were published. */
  lane(event: T): string;
}

/** Longest wait for an answer of JetStream, milliseconds. */
export const ANSWER_MS = 2_000;
/** JetStream's error code for a stream that exists and differs. */
const OTHER_CONFIG = 10058;

/** The subject of these events; without a tenant or a name, of all. */
export function subjectOf({ subject }: StreamSpec, tenant?: string, what?: string): string {
  const part = (value: string | undefined) => (value === undefined ? '*' : token(value));
  return `${subject}.${part(tenant)}.${part(what)}`;
}

/** Sees to it that the stream is there and as we want it. */
export async function ensureStream(nats: Nats, spec: StreamSpec): Promise<JetStreamManager> {
  const manager = await jetstreamManager(nats.connection, { timeout: ANSWER_MS });
  const config = {
    subjects: [`${spec.subject}.>`],
    retention: RetentionPolicy.Limits,
    max_age: nanos(spec.keptMs),
    duplicate_window: nanos(spec.deduplicatedMs),
    num_replicas: nats.replicas,
  };
  try {
    await manager.streams.add({ name: spec.stream, ...config });
  } catch (error) {
    // It is there with another configuration (of another release, say): bring it up to ours.
    if (!(error instanceof JetStreamApiError) || error.code !== OTHER_CONFIG) throw error;
    await manager.streams.update(spec.stream, config);
  }
  return manager;
}
