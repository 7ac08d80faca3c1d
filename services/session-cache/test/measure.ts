/**
 * Measures bind over gRPC on a real nats-server, unary against BindStream, and
 * the heap of a session in memory. Not a test: `pnpm --filter @callmesh/session-cache measure`.
 * The caller has a process of its own, as in production; both share this machine.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type BindRequest, type BindResponse, SessionCacheServiceClient } from '@callmesh/proto/session';
import { App, call, commonConfig, grpcClient, parseConfig } from '@callmesh/runtime';
import { z } from 'zod';
import { MemoryBucket } from '../src/adapters/memory-kv.ts';
import { binding } from './bindings.ts';
import { NatsServer } from './nats-server.ts';
import { A, legEvent, member, proposal, settled, until } from './replicas.ts';
import { serveOnNats } from './service.ts';

const BINDS = 20_000;
const MEMORY_SESSIONS = 100_000;
const role = process.argv[2];

async function server(): Promise<void> {
  const nats = new NatsServer();
  await nats.start();
  const nc = await nats.connect();
  const service = await serveOnNats(nc);
  await until(() => service.cache.replica.live);
  process.send!(service.address);
  process.once('message', async () => {
    await service.stop();
    await nc.close();
    await nats.kill({ wipe: true });
    process.exit(0);
  });
}

interface Result {
  readonly way: string;
  readonly inFlight: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

async function timed(
  way: string,
  inFlight: number,
  count: number,
  bind: (n: number) => Promise<unknown>,
): Promise<Result> {
  const times: number[] = [];
  let next = 0;
  const started = performance.now();
  const lane = async () => {
    while (next < count) {
      const at = performance.now();
      await bind(next++);
      times.push(performance.now() - at);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  const seconds = (performance.now() - started) / 1000;
  times.sort((a, b) => a - b);
  const at = (share: number) => Number(times[Math.floor(times.length * share)]!.toFixed(2));
  return { way, inFlight, perSecond: Math.round(count / seconds), p50: at(0.5), p99: at(0.99) };
}

async function caller(address: string): Promise<Result[]> {
  const config = parseConfig(
    z.strictObject(commonConfig),
    'log: { level: error }\nauth: { token: 0123456789abcdef }\nstate_dir: /tmp\n',
  );
  const client = grpcClient(new App('measure', config), SessionCacheServiceClient, address);
  const waiting = new Map<number, (answer: BindResponse) => void>();
  const stream = client.bindStream();
  stream.on('data', (answer: BindResponse) => waiting.get(answer.correlation)?.(answer));
  let made = 0;
  const request = (callId: string): BindRequest => ({
    correlation: ++made,
    binding: binding(callId),
    replaceDead: [],
  });
  const unary = (way: string) => (n: number) => call(client, 'bind', request(`${way}-${n}`));
  const streamed = (way: string) => (n: number) =>
    new Promise<void>((resolve, reject) => {
      const one = request(`${way}-${n}`);
      waiting.set(one.correlation, ({ error }) => {
        waiting.delete(one.correlation);
        if (error) reject(new Error(error));
        else resolve();
      });
      stream.write(one);
    });
  const results: Result[] = [];
  await timed('warm', 64, 5_000, unary('warm-u'));
  await timed('warm', 64, 5_000, streamed('warm-s'));
  for (const inFlight of [1, 16, 256]) {
    const count = inFlight === 1 ? 3_000 : BINDS;
    results.push(await timed('unary, new', inFlight, count, unary(`u${inFlight}`)));
    results.push(await timed('stream, new', inFlight, count, streamed(`s${inFlight}`)));
  }
  results.push(await timed('unary, known', 256, BINDS, unary('u256')));
  results.push(await timed('stream, known', 256, BINDS, streamed('s256')));
  client.close();
  return results;
}

async function memory(): Promise<void> {
  const bucket = new MemoryBucket();
  const one = member(bucket.connect());
  await settled(one);
  const fill = async (first: number, count: number) => {
    for (let n = first; n < first + count; n++) {
      const session = proposal(`${n}-${'c'.repeat(30)}@198.51.100.${n % 200}`, A);
      await one.sessions.bind(session, []);
      for (const leg of ['a', 'b'])
        await one.calls.handle(legEvent('created', session, `${leg}${n}-8c7e-4a35-9d0a-0123456789ab`));
    }
    one.deeds.length = 0;
  };
  await fill(0, 1000);
  // A replica fed only by the store, as after a restart: its strings are its own.
  globalThis.gc!();
  await fill(1000, MEMORY_SESSIONS - 1000);
  globalThis.gc!();
  const before = process.memoryUsage().heapUsed;
  const fresh = member(bucket.connect());
  await settled(fresh);
  globalThis.gc!();
  const perSession = (process.memoryUsage().heapUsed - before) / MEMORY_SESSIONS;
  process.stdout.write(
    `heap per session with two legs at ${fresh.sessions.index.size}: ${Math.round(perSession)} bytes\n`,
  );
}

if (role === 'server') await server();
else if (role === 'memory') await memory();
else {
  const self = fileURLToPath(import.meta.url);
  const child = fork(self, ['server']);
  const address = await new Promise<string>((resolve) =>
    child.once('message', (got) => resolve(String(got))),
  );
  const results = await caller(address);
  child.send('end');
  for (const { way, inFlight, perSecond, p50, p99 } of results)
    process.stdout.write(
      `${way.padEnd(14)} ${`${inFlight}`.padStart(4)} in flight ${`${perSecond}`.padStart(7)}/s  p50 ${p50} ms  p99 ${p99} ms\n`,
    );
  fork(self, ['memory'], { execArgv: ['--expose-gc'] });
}
