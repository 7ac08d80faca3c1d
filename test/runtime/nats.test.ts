import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, natsServer, type Server } from '@callmesh/local';
import { CallEvent } from '@callmesh/proto/call';
import { LoadReport, NodeRole } from '@callmesh/proto/node';
import { CallPublisher, consumeCall, Nats, publishLoad, subscribeLoad } from '@callmesh/runtime';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { testApp } from '../support/app.ts';

const dir = mkdtempSync(join(tmpdir(), 'callmesh-nats-'));
const app = testApp('bus');
let server: Server;
let nats: Nats;

beforeAll(async () => {
  server = await natsServer(dir);
  await server.process.start();
});
afterAll(async () => {
  await server.process.stop();
  rmSync(dir, { recursive: true });
});
beforeEach(async () => {
  nats = new Nats(app, { servers: [server.url], replicas: 1 });
  await nats.start();
});
afterEach(() => nats.stop());

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** What may happen to NATS, each ending with a server that answers. */
const accidents: [string, () => Promise<void>][] = [
  [
    'was killed and restarted',
    async () => {
      await server.process.kill();
      await server.process.start();
    },
  ],
  [
    'was wiped',
    async () => {
      await server.process.kill();
      rmSync(server.data, { recursive: true, force: true });
      await server.process.start();
    },
  ],
  [
    'was frozen for longer than pings are waited for',
    async () => {
      server.process.freeze();
      await wait(5_000);
      server.process.thaw();
    },
  ],
];

const report = (seq: number) =>
  LoadReport.fromPartial({ nodeId: 'fs-1', role: NodeRole.NODE_ROLE_MEDIA, epoch: 'e', seq });
const event = (n: number) =>
  CallEvent.fromPartial({
    event: 'created',
    tenantId: 'acme',
    legUuid: `leg-${n}`,
    nodeId: 'fs-1',
    nodeEpoch: 'e',
    sequence: n,
  });

describe('core NATS for the mesh', () => {
  it.each(accidents)('goes on after NATS %s', async (_, accident) => {
    const seen: number[] = [];
    subscribeLoad(nats, ({ seq }) => seen.push(seq));
    const other = new Nats(app, { servers: [server.url], replicas: 1 });
    await other.start();
    await eventually(() => publishLoad(other, report(1)) && seen.includes(1), 'report before');
    await accident();
    await eventually(() => publishLoad(other, report(2)) && seen.includes(2), 'report after', 15_000);
    expect(nats.connected && other.connected).toBe(true);
    expect(nats.silentSince).toBeUndefined();
    await other.stop();
  });

  it('says that it is away, and publishing then drops without throwing or waiting', async () => {
    const told: boolean[] = [];
    nats.onHealth((connected) => told.push(connected));
    await server.process.kill();
    await eventually(() => !nats.connected, 'silence is noticed');
    expect(nats.silentSince).toBeTypeOf('number');
    expect(publishLoad(nats, report(1))).toBe(false);
    await server.process.start();
    await eventually(() => nats.connected, 'return is noticed');
    expect(told).toEqual([true, false, true]);
  });

  it('notices a frozen server', async () => {
    server.process.freeze();
    await eventually(() => !nats.connected, 'silence is noticed');
    server.process.thaw();
    await eventually(() => nats.connected, 'return is noticed');
  });

  it('starts without a server, and what was subscribed before works once there is one', async () => {
    await server.process.kill();
    const early = new Nats(app, { servers: [server.url], replicas: 1 });
    const seen: number[] = [];
    subscribeLoad(early, ({ seq }) => seen.push(seq));
    await early.start();
    expect(early.connected).toBe(false);
    expect(() => early.connection).toThrow('never reached');
    await server.process.start();
    await eventually(() => publishLoad(nats, report(3)) && seen.includes(3), 'report arrives');
    await early.stop();
  });

  it('survives a message that is none', async () => {
    const seen: number[] = [];
    subscribeLoad(nats, ({ seq }) => seen.push(seq));
    await nats.connection.flush();
    nats.publish('callmesh.load.media.fs-1', 'not JSON');
    publishLoad(nats, report(4));
    await eventually(() => seen.includes(4), 'the next report arrives');
  });
});

describe('call events', () => {
  const numbers = (from: number, count: number) => Array.from({ length: count }, (_, n) => from + n);
  let next = 1;

  it.each(accidents)(
    'arrive, also those sent meanwhile, when NATS %s',
    async (_, accident) => {
      const publisher = new CallPublisher(app, nats);
      const seen = new Set<number>();
      const consumer = consumeCall(app, nats, 'test', ({ sequence }) => void seen.add(sequence));
      await consumer.start!();
      const send = (count: number) => {
        const sent = numbers(next, count);
        next += count;
        for (const n of sent) publisher.publish(event(n));
        return sent;
      };
      const before = send(100);
      await eventually(() => before.every((n) => seen.has(n)), 'events before');
      const running = accident();
      const meanwhile: number[] = [];
      for (let n = 0; n < 20; n++) {
        meanwhile.push(...send(10));
        await wait(20);
      }
      await running;
      // What a wiped server had taken and not handed out is gone with it; all that was not acknowledged comes again.
      const after = send(100);
      await eventually(() => after.every((n) => seen.has(n)), 'events after', 20_000);
      if (!expect.getState().currentTestName?.includes('wiped'))
        await eventually(() => meanwhile.every((n) => seen.has(n)), 'events of meanwhile', 20_000);
      await consumer.stop!();
      await publisher.stop();
    },
    60_000,
  );

  it('go to one of the replicas that share a durable, and again to one when it failed', async () => {
    const publisher = new CallPublisher(app, nats);
    const taken: number[] = [];
    let failures = 0;
    const replicas = [1, 2].map(() =>
      consumeCall(app, nats, 'shared', ({ sequence }) => {
        if (sequence % 10 === 0 && failures++ < 5) throw new Error('not now');
        taken.push(sequence);
      }),
    );
    for (const replica of replicas) await replica.start!();
    const sent = numbers(next, 100);
    next += 100;
    for (const n of sent) publisher.publish(event(n));
    await eventually(() => sent.every((n) => taken.includes(n)), 'all arrive');
    expect(taken.filter((n) => sent.includes(n))).toHaveLength(sent.length);
    for (const replica of replicas) await replica.stop!();
    await publisher.stop();
  });

  it('beyond what may wait are dropped oldest first, and that is said', async () => {
    await server.process.kill();
    await eventually(() => !nats.connected, 'silence is noticed');
    const publisher = new CallPublisher(app, nats);
    const from = next;
    next += 20_100;
    for (const n of numbers(from, 20_100)) publisher.publish(event(n));
    expect(app.health().degraded['call-events']?.reason).toContain('100 call events were dropped');
    await server.process.start();
    const seen = new Set<number>();
    const consumer = consumeCall(app, nats, 'late', ({ sequence }) => void seen.add(sequence));
    await consumer.start!();
    await eventually(() => seen.has(from + 20_099), 'the newest arrives', 30_000);
    expect(numbers(from + 100, 20_000).filter((n) => !seen.has(n))).toEqual([]);
    expect(numbers(from, 100).filter((n) => seen.has(n))).toEqual([]);
    await consumer.stop!();
    await publisher.stop();
  }, 60_000);

  it('are kept in a stream that another release left behind with other settings', async () => {
    const manager = await nats.js.jetstreamManager();
    await manager.streams.update('CALLS', { max_age: 60 * 1_000_000_000, duplicate_window: 1_000_000_000 });
    const publisher = new CallPublisher(app, nats);
    const seen = new Set<number>();
    const consumer = consumeCall(app, nats, 'test', ({ sequence }) => void seen.add(sequence));
    await consumer.start!();
    const n = next++;
    publisher.publish(event(n));
    await eventually(() => seen.has(n), 'event arrives');
    expect((await manager.streams.info('CALLS')).config.max_age).toBe(24 * 3_600 * 1_000_000_000);
    await consumer.stop!();
    await publisher.stop();
  });
});
