import { AckPolicy, DeliverPolicy } from '@nats-io/jetstream';
import type { Nats } from '../../nats.ts';
import { ANSWER_MS, ensureStream, type StreamSpec } from './family.ts';

/** Headers asked for at once. */
const AT_ONCE = 1_000;

/**
 * Ids of all events the stream holds after a position. For whoever sent some,
 * never heard of them, and comes back when the stream has forgotten their ids.
 */
export async function storedSince(nats: Nats, spec: StreamSpec, after: number): Promise<ReadonlySet<string>> {
  const manager = await ensureStream(nats, spec);
  const ids = new Set<string>();
  const { name, num_pending } = await manager.consumers.add(spec.stream, {
    ack_policy: AckPolicy.None,
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: after + 1,
    headers_only: true,
    mem_storage: true,
    inactive_threshold: 10 * ANSWER_MS * 1_000_000,
  });
  const consumer = await nats.js.consumers.get(spec.stream, name);
  for (let left = num_pending; left > 0; ) {
    const messages = await consumer.fetch({ max_messages: Math.min(left, AT_ONCE), expires: ANSWER_MS });
    const before = left;
    for await (const message of messages) {
      left -= 1;
      const id = message.headers?.get('Nats-Msg-Id');
      if (id) ids.add(id);
    }
    if (left === before) throw new Error(`${spec.stream} stopped answering`);
  }
  await manager.consumers.delete(spec.stream, name);
  return ids;
}
