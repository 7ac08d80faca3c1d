import { createInbox, type Msg, type NatsConnection, type Subscription } from '@nats-io/nats-core';
import type { Feed } from '../domain/store.ts';
import { type ConsumerInfo, jsApi } from './nats-api.ts';

const HEARTBEAT_MS = 1_000;
/** Silence after which the server, or our consumer on it, is taken for gone. */
const SILENT_MS = 2_500;
const NS_PER_MS = 1_000_000;

/**
 * Follows a bucket once: the newest write of every key, then each as it happens.
 * The promise rejects at the first sign that something was or may be missed; the
 * caller begins anew with a snapshot. The client library's ordered consumer mends
 * gaps by itself, but goes on silently on a bucket that was wiped and made anew.
 */
export function follow(nc: NatsConnection, bucket: string, feed: Feed, signal: AbortSignal): Promise<never> {
  const inbox = createInbox();
  let subscription: Subscription | undefined;
  let watchdog: NodeJS.Timeout | undefined;
  return new Promise<never>((_, reject) => {
    const lose = (reason: string) => reject(new Error(reason));
    const reader = new FeedReader(bucket, feed, lose, (subject) => nc.publish(subject));
    const silent = () => reader.silentMs() > SILENT_MS;
    // A process that was itself held up first reads what has arrived: timers run before that.
    watchdog = setInterval(
      () => silent() && setImmediate(() => silent() && lose('heartbeats stopped')),
      HEARTBEAT_MS / 4,
    );
    signal.addEventListener('abort', () => lose('stopped'), { once: true });
    subscription = nc.subscribe(inbox, {
      callback: (error, msg) => {
        if (error) lose(error.message);
        else reader.take(msg);
      },
    });
    createConsumer(nc, bucket, inbox).then((info) => reader.created(info), reject);
  }).finally(() => {
    clearInterval(watchdog);
    if (!nc.isClosed()) subscription?.unsubscribe();
  });
}

function createConsumer(nc: NatsConnection, bucket: string, inbox: string): Promise<ConsumerInfo> {
  const stream = `KV_${bucket}`;
  return jsApi<ConsumerInfo>(nc, `CONSUMER.CREATE.${stream}`, {
    stream_name: stream,
    config: {
      deliver_subject: inbox,
      deliver_policy: 'last_per_subject',
      filter_subject: `$KV.${bucket}.>`,
      ack_policy: 'none',
      replay_policy: 'instant',
      max_deliver: 1,
      mem_storage: true,
      num_replicas: 1,
      flow_control: true,
      idle_heartbeat: HEARTBEAT_MS * NS_PER_MS,
      inactive_threshold: 10_000 * NS_PER_MS,
    },
  });
}

/** Turns a push consumer's messages into a feed, and notices a gap. */
class FeedReader {
  readonly #prefix: number;
  readonly #feed: Feed;
  readonly #lose: (reason: string) => void;
  readonly #publish: (subject: string) => void;
  #delivered = 0;
  #complete = false;
  #lastHeard = performance.now();

  constructor(
    bucket: string,
    feed: Feed,
    lose: (reason: string) => void,
    publish: (subject: string) => void,
  ) {
    this.#prefix = `$KV.${bucket}.`.length;
    this.#feed = feed;
    this.#lose = lose;
    this.#publish = publish;
  }

  silentMs(): number {
    return performance.now() - this.#lastHeard;
  }

  created(info: ConsumerInfo): void {
    this.#lastHeard = performance.now();
    if (info.num_pending === 0 && info.delivered.consumer_seq === 0) this.#done();
  }

  take(msg: Msg): void {
    this.#lastHeard = performance.now();
    if (msg.headers?.code === 100) {
      this.#control(msg);
      return;
    }
    // $JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<time>.<pending>
    const meta = msg.reply?.split('.') ?? [];
    const [streamSeq, consumerSeq, pending] = [Number(meta.at(-4)), Number(meta.at(-3)), Number(meta.at(-1))];
    if (consumerSeq !== this.#delivered + 1) {
      this.#lose('the feed has a gap');
      return;
    }
    this.#delivered = consumerSeq;
    const removed = msg.headers?.get('KV-Operation');
    this.#feed.changed(msg.subject.slice(this.#prefix), removed ? undefined : msg.data, streamSeq);
    if (pending === 0) this.#done();
  }

  #control(msg: Msg): void {
    if (msg.reply) {
      msg.respond();
      return;
    }
    const stalled = msg.headers?.get('Nats-Consumer-Stalled');
    if (stalled) this.#publish(stalled);
    const last = Number(msg.headers?.get('Nats-Last-Consumer'));
    if (last > this.#delivered) this.#lose('the feed has a gap');
    else this.#done();
  }

  #done(): void {
    if (this.#complete) return;
    this.#complete = true;
    this.#feed.complete();
  }
}
