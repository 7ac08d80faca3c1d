import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { etcdServer, eventually, type Server } from '@callmesh/local';
import { StateServiceClient, StateServiceService } from '@callmesh/proto/state';
import {
  call,
  Etcd,
  grpcClient,
  grpcServer,
  registerEtcdResolver,
  serviceKey,
  unaryHandler,
} from '@callmesh/runtime';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { testApp } from '../support/app.ts';

const dir = mkdtempSync(join(tmpdir(), 'callmesh-etcd-'));
let server: Server;

beforeAll(async () => {
  server = await etcdServer(dir);
  await server.process.start();
});
afterAll(async () => {
  await server.process.stop();
  rmSync(dir, { recursive: true });
});

/** What may happen to etcd, each ending with a server that answers. */
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
      rmSync(server.data, { recursive: true });
      await server.process.start();
    },
  ],
  [
    'was frozen for longer than two leases',
    async () => {
      server.process.freeze();
      // The lease of 1 s must have run out by the server's clock, which goes on while it is frozen.
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      server.process.thaw();
    },
  ],
];

describe('etcd for the mesh', () => {
  let etcd: Etcd;
  beforeEach(async () => {
    etcd = new Etcd(testApp('test'), { endpoints: [server.url] });
    await etcd.start();
  });
  afterEach(() => etcd.stop());

  it.each(accidents)('keeps a leased key present after etcd %s', async (_, accident) => {
    const lease = etcd.lease('test', 1);
    lease.put('/t/a', '1');
    await eventually(async () => (await etcd.get('/t/a')) === '1', 'key is there');
    await accident();
    await eventually(async () => (await etcd.get('/t/a')) === '1', 'key is there again');
    await lease.close();
    expect(await etcd.get('/t/a')).toBeUndefined();
  });

  it.each(accidents)('sees changes under a prefix after etcd %s', async (_, accident) => {
    const seen = new Map<string, string>();
    const watch = etcd.watchPrefix('/w/', {
      onSnapshot: (entries) => {
        seen.clear();
        for (const [key, value] of entries) seen.set(key, value);
      },
      onPut: (key, value) => seen.set(key, value),
      onDelete: (key) => seen.delete(key),
    });
    await etcd.put('/w/a', '1');
    await eventually(() => seen.get('/w/a') === '1', 'first change');
    await accident();
    await eventually(() => etcd.put('/w/b', '2').then(() => true), 'etcd takes a write');
    await eventually(() => seen.get('/w/b') === '2', 'change after the accident');
    await etcd.delete('/w/b');
    await eventually(() => !seen.has('/w/b'), 'deletion after the accident');
    watch.close();
  });

  it('says since when it is silent, and when it is back', async () => {
    server.process.freeze();
    await eventually(() => etcd.silentSince !== undefined, 'silence is noticed');
    await expect(etcd.get('/t/a', { deadlineMs: 200 })).rejects.toMatchObject({ code: 'unavailable' });
    server.process.thaw();
    await eventually(() => etcd.silentSince === undefined, 'answer is noticed');
  });

  it('goes on through a compaction', async () => {
    const seen: string[] = [];
    const watch = etcd.watchPrefix('/c/', {
      onSnapshot: (entries) => seen.push(...entries.values()),
      onPut: (_, value) => void seen.push(value),
      onDelete: () => {},
    });
    for (let n = 0; n < 5; n++) await etcd.put('/c/k', String(n));
    const status = await fetch(`${server.url}/v3/maintenance/status`, { method: 'POST', body: '{}' });
    const { header } = (await status.json()) as { header: { revision: string } };
    await fetch(`${server.url}/v3/kv/compaction`, {
      method: 'POST',
      body: JSON.stringify({ revision: header.revision }),
    });
    await server.process.kill();
    await server.process.start();
    await etcd.put('/c/k', 'after');
    await eventually(() => seen.includes('after'), 'change after compaction');
    watch.close();
  });
});

describe('etcd:///service as a gRPC target', () => {
  it('finds instances, follows them, and keeps the last known when etcd is away', async () => {
    const app = testApp('test', { etcd: { endpoints: [server.url] } });
    const etcd = new Etcd(app, { endpoints: [server.url] });
    registerEtcdResolver(etcd);
    const start = async (reason: string) => {
      const host = testApp('state');
      const part = host.add(
        grpcServer(host, host.config.grpc, [
          [StateServiceService, { getNode: unaryHandler(() => ({ reason, evidence: [] })) }],
        ]),
      );
      await host.lifecycle.start();
      return { address: part.address, stop: () => host.lifecycle.shutdown() };
    };
    const ask = async () => (await call(client, 'getNode', { nodeId: 'x' }, { deadlineMs: 500 })).reason;
    const client = grpcClient(app, StateServiceClient, 'etcd:///state');
    await expect(ask()).rejects.toMatchObject({ code: expect.stringMatching(/unavailable|deadline/) });

    const lease = etcd.lease('services', 2);
    const one = await start('one');
    lease.put(serviceKey('state', 'state-1'), one.address);
    await eventually(async () => (await ask()) === 'one', 'the first instance answers');

    const two = await start('two');
    lease.put(serviceKey('state', 'state-2'), two.address);
    await eventually(async () => (await ask()) === 'two', 'the second instance answers too');

    await server.process.kill();
    expect(['one', 'two']).toContain(await ask());
    await one.stop();
    await eventually(async () => (await ask()) === 'two', 'the living instance answers alone');
    await server.process.start();
    await two.stop();
    client.close();
    await etcd.stop();
  });
});
