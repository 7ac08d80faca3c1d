import type { MsgHdrs } from '@nats-io/nats-core';
import type { Component } from '../../lifecycle.ts';
import type { Nats } from '../../nats.ts';
import type { App } from '../../service.ts';
import { encode } from '../json.ts';
import { withTrace } from '../trace.ts';
import { ANSWER_MS, ensureStream, type Family, subjectOf } from './family.ts';
import { Outbox, type Waiting } from './outbox.ts';
import { storedSince } from './stored.ts';

const RETRY_MS = 250;
/** Events kept while NATS is away; beyond it the oldest goes, counted. */
const OUTBOX = 20_000;
/** Events under way at once, each of another lane. */
const IN_FLIGHT = 64;
/** NATS takes 1 MiB unless told otherwise; no event comes near this. */
const MAX_BYTES = 256 * 1024;

/** An event as it goes out; written when it is queued, so that a fault in it is its own. */
interface Letter {
  readonly subject: string;
  readonly payload: string;
  readonly msgID: string;
  /** The trace it belongs to. */
  readonly headers?: MsgHdrs;
  /** Since when nobody knows whether it was stored (performance.now), and the newest position known then. */
  doubt?: { readonly since: number; readonly after: number };
}

/**
 * Sends events of one family so that each arrives once and those of one lane in
 * order, also when NATS goes away in between: the next of a lane leaves when the
 * stream has confirmed the one before.
 */
export class DurablePublisher<T> implements Component {
  readonly name: string;
  readonly #app: App;
  readonly #nats: Nats;
  readonly #family: Family<T>;
  readonly #outbox = new Outbox<Letter>(OUTBOX);
  /** What was sent and not heard of. */
  readonly #doubtful = new Set<Letter>();
  #stopped = false;
  #dropped = 0;
  #underWay = 0;
  /** Newest position of the stream that is known. */
  #position = 0;
  /** Set while the stream is known to be there, or being made. */
  #stream: Promise<void> | undefined;
  #looking: Promise<ReadonlySet<string>> | undefined;
  #pause: NodeJS.Timeout | undefined;
  #whenIdle: (() => void)[] = [];

  constructor(app: App, nats: Nats, family: Family<T>) {
    this.name = `${family.name}-publisher`;
    this.#app = app;
    this.#nats = nats;
    this.#family = family;
    nats.onHealth((connected) => (connected ? this.#sendReady() : this.#settleIdle()));
  }

  /** Queues an event; never throws. */
  publish(event: T): void {
    const { name, lane } = this.#family;
    try {
      const letter = this.#write(event);
      if (this.#outbox.add(lane(event), letter)) {
        this.#dropped += 1;
        this.#app.degraded(
          `${name}-events`,
          `${this.#dropped} ${name} events were dropped while NATS was away`,
        );
      }
    } catch (error) {
      this.#app.log.error({ err: error }, `a ${name} event could not be written`);
    }
    this.#sendReady();
  }

  /** Resolves when everything is sent, or there is nobody to send it to. */
  async drain(): Promise<void> {
    if (this.#canSend && this.#outbox.size > 0)
      await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#pause);
    this.#settleIdle();
    const { size } = this.#outbox;
    if (size > 0) this.#app.log.warn({ events: size }, `${this.#family.name} events were not sent`);
  }

  get #canSend(): boolean {
    return this.#nats.connected && !this.#stopped;
  }

  #write(event: T): Letter {
    const payload = encode(this.#family.type, event);
    if (payload.length > MAX_BYTES) throw new Error(`expected at most ${MAX_BYTES} bytes`);
    return {
      payload,
      subject: subjectOf(this.#family, ...this.#family.place(event)),
      msgID: this.#family.id(event),
      ...withTrace(),
    };
  }

  #sendReady(): void {
    while (this.#canSend && !this.#pause && this.#underWay < IN_FLIGHT) {
      const next = this.#outbox.take();
      if (!next) break;
      this.#underWay += 1;
      void this.#deliver(next);
    }
    if (this.#outbox.size === 0) this.#settleIdle();
  }

  async #deliver(waiting: Waiting<Letter>): Promise<void> {
    try {
      await this.#send(waiting.item);
      this.#outbox.done(waiting);
    } catch (error) {
      this.#app.log.debug({ err: error }, `a ${this.#family.name} event will be sent again`);
      this.#outbox.putBack(waiting);
      this.#stream = undefined;
      this.#pause ??= setTimeout(() => {
        this.#pause = undefined;
        this.#sendReady();
      }, RETRY_MS);
    }
    this.#underWay -= 1;
    this.#sendReady();
  }

  async #send(letter: Letter): Promise<void> {
    this.#stream ??= this.#open();
    await this.#stream;
    if (!(await this.#isStored(letter))) {
      letter.doubt ??= { since: performance.now(), after: this.#position };
      this.#doubtful.add(letter);
      const { subject, payload, msgID, headers } = letter;
      const options = { msgID, timeout: ANSWER_MS, ...(headers && { headers }) };
      const { seq } = await this.#nats.js.publish(subject, payload, options);
      this.#position = Math.max(this.#position, seq);
    }
    this.#doubtful.delete(letter);
  }

  async #open(): Promise<void> {
    const manager = await ensureStream(this.#nats, this.#family);
    const { state } = await manager.streams.info(this.#family.stream);
    this.#position = state.last_seq;
  }

  /** Whether it is there already. The stream itself tells for as long as it remembers ids; then we look. */
  async #isStored(letter: Letter): Promise<boolean> {
    const { doubt } = letter;
    if (!doubt || performance.now() - doubt.since < this.#family.deduplicatedMs / 2) return false;
    const after = Math.min(...[...this.#doubtful].map((letter) => letter.doubt?.after ?? this.#position));
    this.#looking ??= storedSince(this.#nats, this.#family, after).finally(() => {
      this.#looking = undefined;
    });
    const stored = (await this.#looking).has(letter.msgID);
    // What still may arrive from an earlier attempt arrives from now on, when ids are remembered.
    letter.doubt = { ...doubt, since: performance.now() };
    return stored;
  }

  #settleIdle(): void {
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }
}
