import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { etcdServer, eventually, freePort, type Server } from '@callmesh/local';
import { Etcd } from '@callmesh/runtime';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { testApp } from '../support/app.ts';
import { Wire } from '../support/wire.ts';

const dir = mkdtempSync(join(tmpdir(), 'callmesh-members-'));
let server: Server;
let wires: Wire[];
let direct: Etcd;

beforeAll(async () => {
  server = await etcdServer(dir);
  await server.process.start();
});
afterAll(async () => {
  await server.process.stop();
  rmSync(dir, { recursive: true });
});
beforeEach(async () => {
  const port = Number(new URL(server.url).port);
  wires = await Promise.all([new Wire(port).start(), new Wire(port).start()]);
  direct = new Etcd(testApp('direct'), { endpoints: [server.url] });
  await direct.start();
});
afterEach(async () => {
  await direct.stop();
  await Promise.all(wires.map((wire) => wire.stop()));
});

/** An Etcd behind the wires. */
async function behind(...through: Wire[]): Promise<Etcd> {
  const endpoints = through.map(({ port }) => `http://127.0.0.1:${port}`);
  const etcd = new Etcd(testApp('behind'), { endpoints });
  await etcd.start();
  return etcd;
}

/** Looks at a key again and again for that long; true while it was never missing. */
async function isAlwaysThere(key: string, ms: number): Promise<boolean> {
  for (const until = Date.now() + ms; Date.now() < until; await new Promise((r) => setTimeout(r, 50)))
    if ((await direct.get(key)) === undefined) return false;
  return true;
}

describe('etcd with several members', () => {
  it('hides from everybody that a member refuses connections', async () => {
    const endpoints = [`http://127.0.0.1:${await freePort()}`, server.url];
    for (let n = 0; n < 6; n++) {
      // Which member is asked first is by chance.
      const etcd = new Etcd(testApp('some'), { endpoints });
      await etcd.start();
      await etcd.put('/m/a', String(n));
      expect(await etcd.get('/m/a')).toBe(String(n));
      expect(etcd.silentSince).toBeUndefined();
      await etcd.stop();
    }
  });

  it('keeps leased keys without a gap when the member in use falls silent', async () => {
    const etcd = await behind(...wires);
    const lease = etcd.lease('test', 3);
    lease.put('/m/lease', '1');
    await eventually(async () => (await direct.get('/m/lease')) === '1', 'key is there');
    for (const wire of wires) if (wire.used) wire.cut();
    expect(await isAlwaysThere('/m/lease', 6_000)).toBe(true);
    expect(lease.held).toBe(true);
    await etcd.stop();
  });
});

describe('etcd behind a network that was cut', () => {
  it('gets its keys back, and sees what changed meanwhile', async () => {
    const etcd = await behind(wires[0]!);
    const seen = new Map<string, string>();
    etcd.watchPrefix('/p/', {
      onSnapshot: (entries) => {
        seen.clear();
        for (const [key, value] of entries) seen.set(key, value);
      },
      onPut: (key, value) => seen.set(key, value),
      onDelete: (key) => seen.delete(key),
    });
    const lease = etcd.lease('test', 1);
    lease.put('/p/leased', '1');
    await eventually(() => seen.get('/p/leased') === '1', 'own key is seen');
    wires[0]!.cut();
    await eventually(async () => (await direct.get('/p/leased')) === undefined, 'lease runs out');
    await eventually(() => etcd.silentSince !== undefined, 'silence is noticed');
    expect(lease.held).toBe(false);
    await direct.put('/p/meanwhile', '2');
    expect(seen.get('/p/leased')).toBe('1');
    wires[0]!.heal();
    await eventually(async () => (await direct.get('/p/leased')) === '1', 'key is there again');
    await eventually(() => seen.get('/p/meanwhile') === '2', 'what changed meanwhile is seen');
    await eventually(() => lease.held && etcd.silentSince === undefined, 'all is well');
    await etcd.stop();
  });

  it('writes a key put while another is being written at once, not at the next renewal', async () => {
    const etcd = await behind(wires[0]!);
    const lease = etcd.lease('test', 30);
    lease.put('/p/first', '1');
    await eventually(() => lease.held, 'first key is written');
    lease.put('/p/second', '2');
    // The loop is at work now: this one must not wait ten seconds for the next round.
    await Promise.resolve();
    lease.put('/p/third', '3');
    await eventually(async () => (await direct.get('/p/third')) === '3', 'third key', 2_000);
    await etcd.stop();
    expect(await direct.get('/p/third')).toBeUndefined();
  });
});
