import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasNats, NatsServer } from '../../test/nats-server.ts';
import { until } from '../../test/replicas.ts';
import type { Feed, FeedingStore } from '../domain/store.ts';
import { MemoryBucket } from './memory-kv.ts';
import { NatsBucket } from './nats-kv.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (value: Uint8Array | undefined) => value && new TextDecoder().decode(value);

/** A feed that writes down what it is told. */
function recorder() {
  const log: string[] = [];
  const feed: Feed = {
    began: (_position, reborn) => log.push(reborn ? 'reborn' : 'began'),
    changed: (key, value, revision) => log.push(`${key}=${text(value)}@${revision}`),
    complete: () => log.push('complete'),
    silent: () => log.push('silent'),
  };
  return { log, feed };
}

/** What every store does alike; `connect` gives a new line to the one empty bucket called `name`. */
function contract(connect: (name: string) => FeedingStore): void {
  let buckets = 0;
  const open = async () => {
    const name = `t${++buckets}`;
    const line = async () => {
      const store = connect(name);
      const { log, feed } = recorder();
      store.feed(feed);
      await until(() => log.includes('complete'));
      return { store, log };
    };
    return { ...(await line()), line };
  };

  it('creates where there is nothing, once', async () => {
    const { store } = await open();
    expect(await store.create('a.b', bytes('1'))).toBe(1);
    expect(await store.create('a.b', bytes('2'))).toBeUndefined();
    expect(text((await store.read('a.b'))?.value)).toBe('1');
  });

  it('lets one of many creations at once win', async () => {
    const { store, line } = await open();
    const { store: other } = await line();
    const all = await Promise.all(
      Array.from({ length: 50 }, (_, n) => (n % 2 ? store : other).create('k', bytes(`${n}`))),
    );
    expect(all.filter((revision) => revision !== undefined)).toHaveLength(1);
  });

  it('updates and removes only what is as expected', async () => {
    const { store } = await open();
    const first = (await store.create('k', bytes('1')))!;
    const second = (await store.update('k', bytes('2'), first))!;
    expect(second).toBeGreaterThan(first);
    expect(await store.update('k', bytes('3'), first)).toBeUndefined();
    expect(await store.remove('k', first)).toBeUndefined();
    const removal = (await store.remove('k', second))!;
    expect(removal).toBeGreaterThan(second);
    expect(await store.read('k')).toEqual({ value: undefined, revision: removal });
    expect(await store.update('k', bytes('4'), second)).toBeUndefined();
    expect(await store.create('k', bytes('5'))).toBeGreaterThan(removal);
  });

  it('takes revision 0 for a key that was never written', async () => {
    const { store } = await open();
    expect(await store.update('k', bytes('1'), 0)).toBe(1);
    expect(await store.update('k', bytes('2'), 0)).toBeUndefined();
    expect(await store.read('other')).toBeUndefined();
  });

  it('feeds a snapshot with removals, then each change in order', async () => {
    const { store, line } = await open();
    await store.create('a', bytes('1'));
    const b = (await store.create('b', bytes('2')))!;
    await store.remove('b', b);
    const { log } = await line();
    await store.create('c', bytes('3'));
    await store.create('b', bytes('4'));
    await until(() => log.length === 6);
    expect(log).toEqual(['began', 'a=1@1', 'b=undefined@3', 'complete', 'c=3@4', 'b=4@5']);
  });

  it('compacts removals away and keeps deciding by what is left', async () => {
    const { store } = await open();
    const a = (await store.create('a', bytes('1')))!;
    await store.remove('a', a);
    const kept = (await store.create('kept', bytes('2')))!;
    await store.compact(kept);
    expect(await store.position()).toEqual({ first: kept, last: kept, count: 1 });
    expect(await store.read('a')).toBeUndefined();
    expect(await store.create('a', bytes('3'))).toBe(kept + 1);
    expect(await store.update('kept', bytes('4'), kept)).toBe(kept + 2);
  });

  it('counts what it stores', async () => {
    const { store } = await open();
    for (const key of ['a', 'b', 'c']) await store.create(key, bytes(key));
    expect(await store.position()).toEqual({ first: 1, last: 3, count: 3 });
  });
}

describe('the in-memory bucket', () => {
  const buckets = new Map<string, MemoryBucket>();
  contract((name) => {
    const bucket = buckets.get(name) ?? new MemoryBucket();
    buckets.set(name, bucket);
    return bucket.connect();
  });
});

describe.skipIf(!hasNats)('the NATS bucket', () => {
  const server = new NatsServer();
  const stores: NatsBucket[] = [];
  let nc: Awaited<ReturnType<NatsServer['connect']>>;
  beforeAll(async () => {
    await server.start();
    nc = await server.connect();
  });
  afterAll(async () => {
    for (const store of stores) await store.stop();
    await nc.close();
    await server.kill({ wipe: true });
  });
  contract((name) => {
    const store = new NatsBucket(() => nc, { bucket: name, replicas: 1 });
    stores.push(store);
    return store;
  });
});
