import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, natsServer, type Server } from '@callmesh/local';
import { CallEvent } from '@callmesh/proto/call';
import {
  AuditPublisher,
  CallPublisher,
  consumeAuditBatches,
  consumeCall,
  consumeCallBatches,
  fail,
  Nats,
  readCalls,
} from '@callmesh/runtime';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DurablePublisher } from '../../services/runtime/src/events/durable/publisher.ts';
import { testApp } from '../support/app.ts';
import { MutedRelay } from '../support/muted-relay.ts';

const dir = mkdtempSync(join(tmpdir(), 'callmesh-durable-'));
const app = testApp('bus');
const ended = new AbortController();
let server: Server;
let nats: Nats;
let life = 0;

beforeAll(async () => {
  server = await natsServer(dir);
  await server.process.start();
});
afterAll(async () => {
  ended.abort();
  await server.process.stop();
  rmSync(dir, { recursive: true });
});
beforeEach(async () => {
  life += 1;
  nats = await connected(server.url);
});
afterEach(() => nats.stop());

async function connected(url: string): Promise<Nats> {
  const made = new Nats(app, { servers: [url], replicas: 1 });
  await made.start();
  return made;
}

/** Event `sequence` of a session; each test has a node life of its own. */
const event = (session: string, sequence: number, more: Partial<CallEvent> = {}) =>
  CallEvent.fromPartial({
    event: 'dtmf',
    tenantId: 'acme',
    sessionId: session,
    legUuid: `${session}-leg`,
    nodeEpoch: `life-${life}`,
    sequence,
    ...more,
  });

/** What the stream holds of this test, oldest first. */
async function stored(): Promise<CallEvent[]> {
  const events: CallEvent[] = [];
  const { state } = await (await nats.js.jetstreamManager()).streams.info('CALLS');
  const reading = await readCalls(nats, { tenantId: '*', after: 'start' }, ended.signal);
  if (state.messages === 0) return [];
  for await (const { event, position } of reading) {
    if (event.nodeEpoch === `life-${life}`) events.push(event);
    if (position === state.last_seq) break;
  }
  return events;
}

const restart = async () => {
  await server.process.kill();
  await server.process.start();
};

describe('a publisher', () => {
  it('has every event in the stream once, and in order per session, with NATS killed in between', async () => {
    const publisher = new CallPublisher(app, nats);
    const sessions = Array.from({ length: 30 }, (_, n) => `session-${n}`);
    const count = 90;
    for (let sequence = 1; sequence <= count; sequence++) {
      for (const session of sessions) publisher.publish(event(session, sequence));
      if (sequence % 30 === 0) await restart();
      else await new Promise((resolve) => setImmediate(resolve));
    }
    await eventually(() => nats.connected, 'NATS is back');
    await publisher.drain();
    const all = await stored();
    for (const session of sessions)
      expect(all.filter(({ sessionId }) => sessionId === session).map(({ sequence }) => sequence)).toEqual(
        Array.from({ length: count }, (_, n) => n + 1),
      );
    await publisher.stop();
  }, 60_000);

  it('stores nothing twice when the answers were lost and the stream has forgotten the ids meanwhile', async () => {
    const relay = await MutedRelay.to(Number(new URL(server.url).port));
    const distant = await connected(relay.url);
    const family = {
      name: 'short',
      stream: 'SHORT',
      subject: 'short',
      keptMs: 60_000,
      deduplicatedMs: 500,
      type: CallEvent,
      place: () => ['acme', 'dtmf'] as const,
      id: ({ sessionId, sequence }: CallEvent) => `${sessionId}-${sequence}`,
      lane: ({ sessionId }: CallEvent) => sessionId,
    };
    const publisher = new DurablePublisher(app, distant, family);
    publisher.publish(event('a', 1));
    await publisher.drain();
    relay.mute();
    for (const session of ['a', 'b', 'c']) for (const n of [2, 3]) publisher.publish(event(session, n));
    const manager = await nats.js.jetstreamManager();
    const messages = async () => (await manager.streams.info('SHORT')).state.messages;
    await eventually(async () => (await messages()) === 4, 'the first of each session arrived');
    relay.cut();
    await eventually(() => !distant.connected, 'silence is noticed');
    const forgotten = Date.now() + 2 * family.deduplicatedMs;
    await eventually(() => Date.now() > forgotten, 'ids are forgotten');
    relay.mend();
    await eventually(() => distant.connected, 'NATS is back');
    await publisher.drain();
    expect(await messages()).toBe(7);
    await publisher.stop();
    await distant.stop();
    relay.close();
  });

  it('tells once what a leg does once, also when an agent that was restarted tells it again', async () => {
    for (const reconciled of [false, true]) {
      const publisher = new CallPublisher(app, nats);
      for (const [index, name] of ['created', 'hangup'].entries())
        publisher.publish(event('s', index + (reconciled ? 100 : 0), { event: name, reconciled }));
      await publisher.drain();
      await publisher.stop();
    }
    expect((await stored()).map(({ event: name }) => name)).toEqual(['created', 'hangup']);
  });

  it('leaves out an event that cannot be written, and sends the next', async () => {
    const publisher = new CallPublisher(app, nats);
    publisher.publish(event('s', 1, { at: new Date(Number.NaN) }));
    publisher.publish(event('s', 2, { caller: 'x'.repeat(300_000) }));
    publisher.publish(event('s', 3));
    await publisher.drain();
    expect((await stored()).map(({ sequence }) => sequence)).toEqual([3]);
    await publisher.stop();
  });
});

describe('a batch consumer', () => {
  /** Publishes `count` events of one session and resolves when they are stored. */
  async function published(count: number, more: Partial<CallEvent> = {}): Promise<void> {
    const publisher = new CallPublisher(app, nats);
    for (let n = 1; n <= count; n++) publisher.publish(event(`s${n}`, n, more));
    await publisher.drain();
    await publisher.stop();
  }
  const mine = (events: readonly CallEvent[]) =>
    events.filter(({ nodeEpoch }) => nodeEpoch === `life-${life}`).map(({ sequence }) => sequence);

  it('gets many at once, and the same again for as long as its store is away', async () => {
    await published(300);
    const batches: number[][] = [];
    let away = 3;
    const consumer = consumeCallBatches(app, nats, `away-${life}`, async (events) => {
      batches.push(mine(events));
      if (away-- > 0) throw fail('unavailable', 'the store is away');
    });
    await consumer.start!();
    await eventually(() => new Set(batches.slice(3).flat()).size === 300, 'all are stored');
    expect(batches[1]).toEqual(batches[0]);
    expect(batches.slice(3).flat()).toHaveLength(300);
    expect(Math.max(...batches.map(({ length }) => length))).toBeGreaterThan(50);
    await consumer.stop!();
  });

  it('is not held up by an event that fails alone, and gets it again later', async () => {
    await published(50);
    const stored: number[] = [];
    let refused = 0;
    const consumer = consumeCallBatches(app, nats, `poison-${life}`, async (events) => {
      if (mine(events).includes(25) && refused < 3) {
        if (events.length === 1) refused += 1;
        throw new Error('cannot be stored');
      }
      stored.push(...mine(events));
    });
    await consumer.start!();
    await eventually(() => stored.length === 49, 'the others are stored');
    expect(stored).not.toContain(25);
    await eventually(() => stored.includes(25), 'it came again', 15_000);
    expect(stored).toHaveLength(50);
    await consumer.stop!();
  });

  it('gets only the events it asked for', async () => {
    await published(5);
    await published(5, { event: 'hangup' });
    const seen: string[] = [];
    const consumer = consumeCallBatches(
      app,
      nats,
      `hangup-${life}`,
      async (events) => void seen.push(...events.map(({ event: name }) => name)),
      { event: 'hangup' },
    );
    await consumer.start!();
    await eventually(() => seen.length >= 5, 'hangups arrive');
    expect(new Set(seen)).toEqual(new Set(['hangup']));
    await consumer.stop!();
  });

  it('loses nothing when NATS is killed with batches in hand', async () => {
    const stored = new Set<number>();
    const consumer = consumeCallBatches(app, nats, `killed-${life}`, async (events) => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      for (const n of mine(events)) stored.add(n);
    });
    await consumer.start!();
    const publisher = new CallPublisher(app, nats);
    for (let n = 1; n <= 2_000; n++) publisher.publish(event(`s${n}`, n));
    await eventually(() => stored.size > 0, 'the first are stored');
    await restart();
    await eventually(() => stored.size === 2_000, 'all are stored', 30_000);
    await consumer.stop!();
    await publisher.stop();
  }, 60_000);
});

it('a consumer has as many events under way as it was told, and no more', async () => {
  const publisher = new CallPublisher(app, nats);
  for (let n = 0; n < 40; n++) publisher.publish(event(`s${n}`, n));
  await publisher.drain();
  let [underWay, most, done] = [0, 0, 0];
  const handler = async ({ nodeEpoch }: CallEvent) => {
    if (nodeEpoch !== `life-${life}`) return;
    most = Math.max(most, ++underWay);
    await new Promise((resolve) => setTimeout(resolve, 20));
    underWay -= 1;
    done += 1;
  };
  const consumer = consumeCall(app, nats, `many-${life}`, handler, { event: 'dtmf', concurrency: 8 });
  await consumer.start!();
  await eventually(() => done === 40, 'all are handled');
  expect(most).toBe(8);
  await consumer.stop!();
  await publisher.stop();
});

describe('a reader', () => {
  const send = async (...events: CallEvent[]) => {
    const publisher = new CallPublisher(app, nats);
    for (const one of events) publisher.publish(one);
    await publisher.drain();
    await publisher.stop();
  };
  const take = async (
    reading: AsyncIterable<{ event: CallEvent; position: number }>,
    count: number,
  ): Promise<{ event: CallEvent; position: number }[]> => {
    const taken = [];
    for await (const one of reading) if (taken.push(one) === count) break;
    return taken;
  };
  const from = async (after: number | 'now' | 'start', tenantId = 'acme') =>
    readCalls(nats, { tenantId, after }, ended.signal);

  it('goes on behind a position, with the events of its tenant alone', async () => {
    const reading = await from('now');
    await send(event('s', 1), event('s', 2, { tenantId: 'globex' }), event('s', 3));
    const [first, second] = await take(reading, 2);
    expect([first!.event.sequence, second!.event.sequence]).toEqual([1, 3]);
    const again = await take(await from(first!.position), 1);
    expect(again).toEqual([second]);
    const all = await take(await from(first!.position, '*'), 2);
    expect(all.map(({ event: { sequence } }) => sequence)).toEqual([2, 3]);
  });

  it('knows how far it is also when nothing was for it', async () => {
    const reading = await from('now', 'nobody');
    const before = await reading.position();
    await send(event('s', 1), event('s', 2));
    expect(await reading.position()).toBe(before + 2);
    await expect(from(before + 2, 'nobody')).resolves.toBeDefined();
  });

  it('does not claim to be further than what it has given', async () => {
    const reading = await from('now');
    const before = await reading.position();
    await send(event('s', 1), event('s', 2));
    expect(await reading.position()).toBe(before);
    await take(reading, 2);
    expect(await reading.position()).toBe(before + 2);
  });

  it('is told when a position is not kept, or never was', async () => {
    await send(event('s', 1));
    const manager = await nats.js.jetstreamManager();
    const { state } = await manager.streams.info('CALLS');
    await expect(from(state.last_seq + 1)).rejects.toMatchObject({ code: 'out_of_range' });
    await manager.streams.purge('CALLS');
    await expect(from(state.last_seq - 1)).rejects.toMatchObject({
      code: 'out_of_range',
      field: 'after_position',
    });
    await expect(from(state.last_seq)).resolves.toBeDefined();
  });

  it('ends when its signal does, and says so when NATS goes away', async () => {
    const stop = new AbortController();
    const one = await readCalls(nats, { tenantId: '*', after: 'now' }, stop.signal);
    const ending = Array.fromAsync(one);
    stop.abort();
    expect(await ending).toEqual([]);
    const other = expect(Array.fromAsync(await from('now'))).rejects.toMatchObject({ code: 'unavailable' });
    await send(event('s', 1));
    await server.process.kill();
    await other;
    await expect(from('now')).rejects.toMatchObject({ code: 'unavailable' });
    await server.process.start();
  });
});

it('a refusal arrives once in the audit, with who saw it', async () => {
  const audit = new AuditPublisher(app, nats);
  const refusal = { what: 'cdr', code: 'tenant_forbidden', tenantId: 'globex', actor: 'crm' } as const;
  for (const id of ['one', 'one', undefined]) audit.publish({ ...refusal, ...(id !== undefined && { id }) });
  await audit.drain();
  const seen: unknown[] = [];
  const consumer = consumeAuditBatches(app, nats, 'test', async (events) => void seen.push(...events));
  await consumer.start!();
  await eventually(() => seen.length >= 2, 'refusals arrive');
  expect(seen).toEqual([
    expect.objectContaining({ ...refusal, id: 'one', observer: 'bus-1' }),
    expect.objectContaining({ ...refusal, id: expect.stringMatching(/^[0-9a-f-]{36}$/) }),
  ]);
  await consumer.stop!();
  await audit.stop();
});
