import {
  Kind,
  type Resource,
  TenantRegistryServiceClient,
  TenantRegistryServiceService,
  type WatchEvent,
} from '@callmesh/proto/tenant';
import { App, call, grpcClient, grpcServer, parseConfig, serverStream } from '@callmesh/runtime';
import { openPostgres } from '@callmesh/runtime/sql';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Database } from '../src/adapters/database.ts';
import { Feed } from '../src/adapters/feed.ts';
import { Store } from '../src/adapters/store.ts';
import { configSchema } from '../src/config.ts';
import { toResource } from '../src/domain/resource.ts';
import { Registry, registryService } from '../src/handlers/registry.ts';
import { embedded, postgres } from './databases.ts';
import { oneOfEach, put } from './samples.ts';

// A first start of an embedded database or a server takes seconds of CPU, and other tests run beside.
vi.setConfig({ hookTimeout: 120_000, testTimeout: 60_000 });

const config = parseConfig(
  configSchema,
  'instance: t-1\nlog: { level: error }\nauth: { token: 0123456789abcdef }\nstate_dir: /tmp/callmesh-test\n',
);

/** One running instance of the service, and a client of it. */
async function instance(database: Database) {
  const app = new App('tenant-registry', config);
  const store = new Store(database.db, 1000);
  const health: (string | null)[] = [];
  const feed = app.add(
    new Feed({
      revision: async () => (await store.bounds()).revision,
      listen: database.listen,
      onHealth: (reason) => void health.push(reason),
    }),
  );
  const announced: string[] = [];
  const registry = new Registry(store, feed, (tenant) => void announced.push(tenant));
  const server = app.add(
    grpcServer(app, config.grpc, [[TenantRegistryServiceService, registryService(registry)]]),
  );
  app.add({ name: 'watches', drain: () => registry.close() });
  await app.lifecycle.start();
  const client = grpcClient(app, TenantRegistryServiceClient, server.address);
  return {
    client,
    announced,
    health,
    registry,
    async stop() {
      await app.lifecycle.shutdown();
      client.close();
    },
  };
}
type Instance = Awaited<ReturnType<typeof instance>>;

/** A put as the resource a caller would send. */
function resource(...args: Parameters<typeof put>): Resource {
  const { spec, row } = put(...args);
  return toResource({ spec, id: '', revision: 0, row: { ...row } });
}
const create = ({ client }: Instance, ...args: Parameters<typeof put>) =>
  call(client, 'create', { resource: resource(...args), actor: '' }, { deadlineMs: 5000 });

/** Follows a watch in the background. */
function follow({ client }: Instance, afterRevision = 0) {
  const aborter = new AbortController();
  const events: WatchEvent[] = [];
  let wake = () => {};
  const done = (async () => {
    for await (const event of serverStream(client, 'watch', { afterRevision }, { signal: aborter.signal })) {
      events.push(event);
      wake();
    }
  })();
  done.catch(() => {});
  return {
    events,
    done,
    async until(condition: (events: WatchEvent[]) => boolean) {
      while (!condition(events)) await Promise.race([new Promise<void>((resolve) => (wake = resolve)), done]);
      return events;
    },
    async close() {
      aborter.abort();
      await done.catch(() => {});
    },
  };
}

/** What a watcher believes after some events. */
function replay(events: readonly WatchEvent[]): Map<string, Resource> {
  const state = new Map<string, Resource>();
  for (const { event } of events) {
    if (event?.$case === 'put') state.set(nameOf(event.value), event.value);
    if (event?.$case === 'removed')
      for (const key of state.keys())
        if (key === `${caseOf(event.value.kind)} ${event.value.id}`) state.delete(key);
  }
  return state;
}
const caseOf = (kind: Kind) =>
  kind
    .replace('KIND_', '')
    .toLowerCase()
    .replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
const nameOf = ({ value }: Resource) => {
  const fields = value!.value as { id?: string; number?: string };
  return `${value!.$case} ${fields.id ?? fields.number}`;
};

describe('tenant-registry over gRPC', () => {
  let database: Database;
  let one: Instance;
  beforeAll(async () => {
    database = await embedded.open();
    one = await instance(database);
    for (const { spec, row } of oneOfEach())
      await call(one.client, 'create', {
        resource: toResource({ spec, id: '', revision: 0, row }),
        actor: 'ann',
      });
  });
  afterAll(async () => {
    await one.stop();
    await database.close();
  });

  it('gives a resource back as created, by kind and id', async () => {
    const agent = await call(one.client, 'get', { kind: Kind.KIND_AGENT, id: 'alice@acme.example' });
    expect(agent.value).toMatchObject({ $case: 'agent', value: { username: 'alice', enabled: true } });
    expect(agent.revision).toBeGreaterThan(0);
  });

  it('announces the tenant of every change', () => {
    expect(new Set(one.announced)).toEqual(new Set(['acme', '']));
  });

  it('updates with the current revision, and ABORTs with an old one', async () => {
    const id = { kind: Kind.KIND_TRUNK, id: 'acme-pbx' };
    const before = await call(one.client, 'get', id);
    const value = before.value as Extract<Resource['value'], { $case: 'trunk' }>;
    const changed = { ...before, value: { ...value, value: { ...value.value, maxChannels: 30 } } };
    const after = await call(one.client, 'update', { resource: changed, actor: '' });
    expect(after.value).toMatchObject({ value: { maxChannels: 30 } });
    expect(after.revision).toBeGreaterThan(before.revision);
    const stale = { ...changed, value: { ...value, value: { ...value.value, maxChannels: 31 } } };
    await expect(call(one.client, 'update', { resource: stale, actor: '' })).rejects.toMatchObject({
      code: 'conflict',
    });
  });

  it('names the field that is wrong', async () => {
    const bad = resource('tenant', { id: 'b' });
    (bad.value!.value as { domain: string }).domain = 'Not A Domain';
    await expect(call(one.client, 'create', { resource: bad, actor: '' })).rejects.toMatchObject({
      code: 'invalid_argument',
      field: 'tenant.domain',
    });
    await expect(call(one.client, 'create', { resource: undefined, actor: '' })).rejects.toMatchObject({
      code: 'invalid_argument',
      field: 'resource',
    });
    await expect(call(one.client, 'get', { kind: Kind.KIND_UNSPECIFIED, id: 'x' })).rejects.toMatchObject({
      code: 'invalid_argument',
      field: 'kind',
    });
  });

  it('lists in pages that together are everything', async () => {
    for (let n = 0; n < 7; n++) await create(one, 'agent', { username: `u${n}` });
    const seen: string[] = [];
    let pageToken = '';
    do {
      const page = await call(one.client, 'list', {
        kind: Kind.KIND_AGENT,
        tenantId: '',
        pageSize: 3,
        pageToken,
      });
      seen.push(...page.resources.map(nameOf));
      pageToken = page.nextPageToken;
    } while (pageToken);
    expect(seen).toHaveLength(8);
    expect(seen).toEqual([...seen].sort());
  });

  it('refuses a page token of another list', async () => {
    const page = await call(one.client, 'list', {
      kind: Kind.KIND_AGENT,
      tenantId: '',
      pageSize: 1,
      pageToken: '',
    });
    for (const pageToken of [page.nextPageToken, 'nonsense'])
      await expect(
        call(one.client, 'list', { kind: Kind.KIND_DID, tenantId: '', pageSize: 1, pageToken }),
      ).rejects.toMatchObject({ code: 'invalid_argument', field: 'page_token' });
  });

  it('streams a snapshot, a marker, then every change in order', async () => {
    const watch = follow(one);
    const snapshot = [...(await watch.until((events) => events.at(-1)?.event?.$case === 'snapshotDone'))];
    await create(one, 'tenant', { id: 'w', domain: 'w.example' });
    await call(one.client, 'delete', { kind: Kind.KIND_TENANT, id: 'w', cascade: false, actor: '' });
    await watch.until((events) => events.length === snapshot.length + 2);
    const [created, removed] = watch.events.slice(snapshot.length);
    expect(created?.event).toMatchObject({ $case: 'put', value: { value: { value: { id: 'w' } } } });
    expect(removed?.event).toEqual({
      $case: 'removed',
      value: { kind: Kind.KIND_TENANT, id: 'w', tenantId: 'w' },
    });
    expect(removed!.revision).toBe(created!.revision + 1);
    await watch.close();
  });

  it('goes on from a revision, and says OUT_OF_RANGE for one it does not keep', async () => {
    const { resources, revision } = await call(one.client, 'list', {
      kind: Kind.KIND_TENANT,
      tenantId: '',
      pageSize: 0,
      pageToken: '',
    });
    expect(resources).toHaveLength(1);
    await create(one, 'node_group', { id: 'late' });
    const watch = follow(one, revision);
    const [event] = await watch.until((events) => events.length > 0);
    expect(event?.event).toMatchObject({ $case: 'put', value: { value: { value: { id: 'late' } } } });
    await watch.close();
    await expect(follow(one, 1).done).rejects.toMatchObject({
      code: 'out_of_range',
      field: 'after_revision',
    });
  });

  it('lists the audit newest first, with who asked', async () => {
    const { entries } = await call(one.client, 'listAudit', {
      tenantId: 'acme',
      pageSize: 1000,
      pageToken: '',
    });
    expect(entries.at(-1)).toMatchObject({
      actor: 'ann',
      action: 'create',
      kind: Kind.KIND_TENANT,
      id: 'acme',
    });
    expect(entries.at(-1)!.changedFields).toContain('domain');
    const revisions = entries.map(({ revision }) => revision);
    expect(revisions).toEqual([...revisions].sort((a, b) => b - a));
    expect(entries.some(({ actor }) => actor.startsWith('tenant-registry/'))).toBe(true);
  });

  it('ends its watches when it shuts down, at once and so that the caller goes elsewhere', async () => {
    const other = await instance(database);
    const watch = follow(other);
    await watch.until((events) => events.length > 0);
    const started = Date.now();
    await other.stop();
    await expect(watch.done).rejects.toMatchObject({ code: 'unavailable' });
    expect(Date.now() - started).toBeLessThan(2000);
  });
});

const server = postgres();
describe.skipIf(!server.available)('two replicas on one PostgreSQL', () => {
  let databases: Database[];
  let a: Instance;
  let b: Instance;
  beforeAll(async () => {
    await server.start();
    const first = await server.open();
    databases = [first, openPostgres(first.listen!.url, 4)];
    [a, b] = [await instance(databases[0]!), await instance(databases[1]!)];
  });
  afterAll(async () => {
    await Promise.all([a?.stop(), b?.stop()]);
    for (const database of databases ?? []) await database.close();
    await server.stop();
  });

  it("show each other's changes at once, in one order", async () => {
    const watches = [follow(a), follow(b)];
    for (const watch of watches) await watch.until((events) => events.length > 0);
    const started = Date.now();
    await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        create(n % 2 ? a : b, 'tenant', { id: `t${n}`, domain: `t${n}.example` }),
      ),
    );
    for (const watch of watches) await watch.until((events) => events.length === 21);
    expect(Date.now() - started).toBeLessThan(3000);
    const [left, right] = watches.map(({ events }) => events.slice(1).map(({ revision }) => revision));
    expect(left).toEqual(right);
    expect(left).toEqual([...left!].sort((x, y) => x - y));
    await Promise.all(watches.map((watch) => watch.close()));
  });

  it('keep their watchers while the database is away, and catch up when it is back', async () => {
    const watch = follow(a);
    await watch.until((events) => events.at(-1)?.event?.$case === 'snapshotDone');
    const before = watch.events.length;
    await server.kill();
    await expect(create(a, 'node_group', { id: 'x' })).rejects.toMatchObject({ code: 'unavailable' });
    await server.restart();
    await expect
      .poll(
        () =>
          create(b, 'node_group', { id: 'after' }).then(
            () => 'done',
            () => 'not yet',
          ),
        { timeout: 10_000 },
      )
      .toBe('done');
    await watch.until((events) => events.length > before);
    expect(watch.events.at(-1)?.event).toMatchObject({ value: { value: { value: { id: 'after' } } } });
    await watch.close();
  });

  it('say that the database is frozen, and when it is not any more', async () => {
    server.freeze();
    await expect.poll(() => a.health.at(-1), { timeout: 10_000 }).toMatch(/took longer|does not answer/);
    server.resume();
    await expect.poll(() => a.health.at(-1), { timeout: 10_000 }).toBe(null);
    await expect(create(a, 'node_group', { id: 'thawed' })).resolves.toBeDefined();
  });

  it('let a watcher of either replay to what the other lists', async () => {
    const watch = follow(b);
    await watch.until((events) => events.at(-1)?.event?.$case === 'snapshotDone');
    await create(a, 'agent', { tenant_id: 't1' });
    await call(a.client, 'delete', { kind: Kind.KIND_TENANT, id: 't1', cascade: true, actor: '' });
    const { revision } = await create(a, 'tenant', { id: 'last', domain: 'last.example' });
    await watch.until((events) => events.at(-1)!.revision === revision);
    const listed = await call(a.client, 'list', {
      kind: Kind.KIND_TENANT,
      tenantId: '',
      pageSize: 0,
      pageToken: '',
    });
    const replayed = [...replay(watch.events).values()].filter(({ value }) => value!.$case === 'tenant');
    expect(replayed.map(nameOf).sort()).toEqual(listed.resources.map(nameOf));
    expect(replay(watch.events).has('agent alice@t1.example')).toBe(false);
    await watch.close();
  });
});
