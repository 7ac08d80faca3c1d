import { readFileSync } from 'node:fs';
import { TenantRegistryServiceService } from '@callmesh/proto/tenant';
import {
  type App,
  type Component,
  Etcd,
  grpcServer,
  Nats,
  publishTenantChanged,
  runService,
  serviceRegistration,
} from '@callmesh/runtime';
import { databaseComponent, openDatabase } from '@callmesh/runtime/sql';
import { MIGRATIONS } from './adapters/database.ts';
import { Feed } from './adapters/feed.ts';
import { Store } from './adapters/store.ts';
import type { Tables } from './adapters/tables.ts';
import { configSchema } from './config.ts';
import type { Wanted } from './domain/document/read.ts';
import { PLATFORM } from './domain/kind.ts';
import { Registry, registryService } from './handlers/registry.ts';
import { readSeed, seed } from './handlers/seed.ts';

await runService('tenant-registry', configSchema, async (app, config) => {
  // Read first: a mistake in it should not wait for a database.
  const wanted = readSeed(config.seed.map((name) => ({ name, text: readFileSync(name, 'utf8') })));
  const etcd = app.add(new Etcd(app, config.etcd));
  const nats = app.add(new Nats(app, config.nats));
  const database = await openDatabase<Tables>(app, config);
  app.add(databaseComponent(app, database, MIGRATIONS));
  const store = new Store(database.db, config.changes_kept);
  const feed = app.add(
    new Feed({
      revision: async () => (await store.bounds()).revision,
      listen: database.listen,
      onHealth: (reason) => app.degraded('database', reason),
    }),
  );
  const registry = new Registry(store, feed, (tenant, revision) =>
    publishTenantChanged(nats, { tenant_id: tenant || PLATFORM, revision }),
  );
  app.add(seeding(app, registry, wanted));
  const server = app.add(
    grpcServer(app, config.grpc, [[TenantRegistryServiceService, registryService(registry)]]),
  );
  // After the server, hence drained before it: it waits for open streams to end.
  app.add({ name: 'watches', drain: () => registry.close() });
  app.add(serviceRegistration(app, etcd, 'tenant-registry', () => server.address));
  observe(app, registry);
});

function seeding(app: App, registry: Registry, wanted: readonly Wanted[]): Component {
  return {
    name: 'seed',
    async start() {
      const created = await seed(registry, wanted);
      if (created) app.log.info({ created }, 'seeded');
    },
  };
}

function observe(app: App, registry: Registry): void {
  app.meter
    .createObservableGauge('callmesh_registry_revision', {
      description: 'revision of the last change heard of',
    })
    .addCallback((result) => result.observe(registry.feed.revision));
  app.meter
    .createObservableGauge('callmesh_registry_watchers', { description: 'watch streams that are open' })
    .addCallback((result) => result.observe(registry.watchers));
}
