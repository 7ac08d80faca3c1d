import { join } from 'node:path';
import { StateServiceService } from '@callmesh/proto/state';
import { Etcd, grpcServer, Nats, runService, serviceRegistration } from '@callmesh/runtime';
import { etcdFeed } from './adapters/etcd-feed.ts';
import { firstReports } from './adapters/first-reports.ts';
import { natsFeed } from './adapters/nats-feed.ts';
import { tableFile } from './adapters/table-file.ts';
import { configSchema } from './config.ts';
import { NodeTable } from './domain/table.ts';
import { stateService } from './handlers/state.ts';
import { Watchers } from './handlers/watchers.ts';

await runService('state', configSchema, (app, config) => {
  const { silence_ms, grace_ms, keep_down_ms } = config.detection;
  const table = new NodeTable({ silenceMs: silence_ms, graceMs: grace_ms, keepDownMs: keep_down_ms });
  app.add(tableFile(app, table, join(config.state_dir, 'nodes.json')));
  const etcd = app.add(new Etcd(app, config.etcd));
  const nats = app.add(new Nats(app, config.nats));
  app.add(etcdFeed(app, etcd, table));
  app.add(natsFeed(app, nats, table));
  const watchers = app.add(new Watchers(app, nats, table));
  app.add(firstReports(table, etcd, nats, () => watchers.judge()));
  const service = stateService(app, etcd, table, watchers);
  const server = app.add(grpcServer(app, config.grpc, [[StateServiceService, service]]));
  app.add(serviceRegistration(app, etcd, 'state', () => server.address));
});
