import { join } from 'node:path';
import { type MoveRequest, SessionCacheServiceClient } from '@callmesh/proto/session';
import { StateServiceService } from '@callmesh/proto/state';
import type { RecoverRequest } from '@callmesh/proto/takeover';
import {
  askHeir,
  call,
  Etcd,
  grpcClient,
  grpcServer,
  Nats,
  RecoveryStore,
  registerEtcdResolver,
  runService,
  serviceRegistration,
} from '@callmesh/runtime';
import { decisionFeed, type Hears } from './adapters/decision-feed.ts';
import { etcdFeed } from './adapters/etcd-feed.ts';
import { firstReports } from './adapters/first-reports.ts';
import { Leader } from './adapters/leader.ts';
import { natsFeed } from './adapters/nats-feed.ts';
import { Sessions } from './adapters/sessions.ts';
import { sipProber } from './adapters/sip-prober.ts';
import { tableFile } from './adapters/table-file.ts';
import { configSchema } from './config.ts';
import { Recent } from './domain/recent.ts';
import { NodeTable } from './domain/table.ts';
import { ConsoleServer } from './handlers/console/server.ts';
import { Stream } from './handlers/console/stream.ts';
import { stateService } from './handlers/state.ts';
import { Takeovers } from './handlers/takeovers.ts';
import { Watchers } from './handlers/watchers.ts';

/** Longest session-cache is waited for when a session moves, milliseconds. */
const MOVE_MS = 1_000;

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
  app.add(sipProber(table));
  const recent = new Recent();
  const service = stateService(app, { etcd, table, recent, watchers });
  const server = app.add(grpcServer(app, config.grpc, [[StateServiceService, service]]));
  app.add(serviceRegistration(app, etcd, 'state', () => server.address));
  registerEtcdResolver(etcd);
  const leader = app.add(new Leader(app, etcd));
  const sessionCache = grpcClient(app, SessionCacheServiceClient, config.services.session_cache);
  const store = new RecoveryStore(nats);
  const ask = (request: RecoverRequest) => askHeir(nats, request);
  const move = (request: MoveRequest) => call(sessionCache, 'move', request, { deadlineMs: MOVE_MS });
  if (config.takeover) app.add(new Takeovers(app, { table, watchers, leader, store, ask, move }));
  const heard: Hears[] = [recent];
  if (config.console) {
    const stream = app.add(new Stream(app, { table, recent, watchers }));
    heard.push(stream);
    const sessions = new Sessions(app, recent, config.services);
    const pages = app.add(new ConsoleServer(app, config.console, { stream, sessions, recent }));
    app.addresses.console = () => pages.address;
  }
  app.add(decisionFeed(app, nats, heard));
});
