import { type Consumer, DeliverPolicy, type JetStreamManager, type JsMsg } from '@nats-io/jetstream';
import { fail } from '../../errors.ts';
import type { Nats } from '../../nats.ts';
import { decode } from '../json.ts';
import { ensureStream, type Family, subjectOf } from './family.ts';

/** Events asked for ahead of the reader. */
const AHEAD = 200;

/** Which events to read. */
export interface From {
  /** Whose; "*": of all tenants. */
  readonly tenantId: string;
  /** What follows this position; "start": everything that is kept; "now": only what comes from now on. */
  readonly after: number | 'start' | 'now';
}

/** An event, and where it stands in the stream. */
export interface Positioned<T> {
  readonly event: T;
  readonly position: number;
}

/**
 * Events in order, without gap or repetition, until the signal aborts. Throws
 * `unavailable` when NATS or the stream is lost: read on from the last position.
 */
export interface Reading<T> extends AsyncIterable<Positioned<T>> {
  /** The end of the stream when reading began: what follows came later. */
  readonly end: number;
  /** Up to here everything that was asked for has been given. Errors: unavailable. */
  position(): Promise<number>;
}

/** Reads a family's events from a position. Errors: out_of_range when it is not kept any more, or never was; unavailable. */
export async function readFrom<T>(
  nats: Nats,
  family: Family<T>,
  { tenantId, after }: From,
  signal: AbortSignal,
): Promise<Reading<T>> {
  const manager = await whenAway(() => ensureStream(nats, family));
  const { start, end } = await boundsOf(manager, family, after);
  const consumer = await whenAway(() =>
    nats.js.consumers.get(family.stream, {
      filter_subjects: subjectOf(family, tenantId === '*' ? undefined : tenantId),
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: start + 1,
    }),
  );
  let last: JsMsg | undefined;
  return {
    end,
    async *[Symbol.asyncIterator]() {
      for await (const message of messagesOf(nats, consumer, signal)) {
        last = message;
        const event = eventOf(family, message);
        if (event !== undefined) yield { event, position: message.info.streamSequence };
      }
    },
    position: () => whenAway(() => positionOf(manager, family, consumer, last, start)),
  };
}

/** The position before the first event wanted, and that of the last there is. */
async function boundsOf<T>(
  manager: JetStreamManager,
  { stream }: Family<T>,
  after: From['after'],
): Promise<{ start: number; end: number }> {
  const { state } = await whenAway(() => manager.streams.info(stream));
  const [first, end] = [Math.max(state.first_seq - 1, 0), state.last_seq];
  if (after === 'now') return { start: end, end };
  if (after === 'start') return { start: first, end };
  if (after >= first && after <= end) return { start: after, end };
  throw fail('out_of_range', `after_position: ${after} is not kept; expected ${first} to ${end}`, {
    field: 'after_position',
  });
}

async function* messagesOf(nats: Nats, consumer: Consumer, signal: AbortSignal): AsyncGenerator<JsMsg> {
  const messages = await whenAway(() =>
    consumer.consume({ max_messages: AHEAD, expires: 5_000, abort_on_missing_resource: true }),
  );
  const close = () => void messages.close();
  signal.addEventListener('abort', close, { once: true });
  // The reader may have heard of nothing for a while: it is told at once, not when NATS is back.
  const forget = nats.onHealth((connected) => connected || close());
  try {
    if (signal.aborted) return;
    yield* messages;
    if (!signal.aborted) throw new Error('NATS went away');
  } catch (error) {
    throw fail('unavailable', 'the stream of events was lost', { cause: error });
  } finally {
    forget();
    signal.removeEventListener('abort', close);
    close();
  }
}

/** When nothing of what is wanted is left, the end of the stream; it is asked first, so that it is not too late a one. */
async function positionOf<T>(
  manager: JetStreamManager,
  { stream }: Family<T>,
  consumer: Consumer,
  last: JsMsg | undefined,
  start: number,
): Promise<number> {
  const { state } = await manager.streams.info(stream);
  const { delivered, num_pending } = await consumer.info();
  const all = num_pending === 0 && delivered.consumer_seq === (last?.info.deliverySequence ?? 0);
  return all ? state.last_seq : (last?.info.streamSequence ?? start);
}

function eventOf<T>(family: Family<T>, message: JsMsg): T | undefined {
  try {
    return decode(family.type, message);
  } catch {
    return undefined;
  }
}

async function whenAway<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw fail('unavailable', 'the stream of events cannot be reached', { cause: error });
  }
}
