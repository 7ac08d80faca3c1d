import { randomUUID } from 'node:crypto';
import { AuditServiceService } from '@callmesh/proto/audit';
import { CdrServiceService } from '@callmesh/proto/cdr';
import type { NodeCommand } from '@callmesh/proto/command';
import { CallControlServiceService } from '@callmesh/proto/control';
import { PolicyServiceClient } from '@callmesh/proto/policy';
import { SessionCacheServiceClient } from '@callmesh/proto/session';
import {
  AuditPublisher,
  consumeCall,
  Etcd,
  grpcClient,
  grpcServer,
  Nats,
  registerEtcdResolver,
  runService,
  type ServiceBinding,
  sendCommand,
  serviceRegistration,
} from '@callmesh/runtime';
import { openDatabase } from '@callmesh/runtime/sql';
import { addRecords } from './adapters/cdr/records.ts';
import type { Tables } from './adapters/cdr/tables.ts';
import { CommandLog } from './adapters/command-log.ts';
import { Decisions } from './adapters/decisions.ts';
import { legFeed } from './adapters/leg-feed.ts';
import { Places } from './adapters/places.ts';
import { configSchema } from './config.ts';
import { LiveLegs } from './domain/live-legs.ts';
import { Access } from './handlers/access.ts';
import { defaultApplication } from './handlers/application.ts';
import { auditService } from './handlers/audit.ts';
import { cdrService } from './handlers/cdr.ts';
import { Commander } from './handlers/commander.ts';
import { controlService } from './handlers/control.ts';
import { handOver } from './handlers/hand-over.ts';
import { controlMetrics } from './handlers/metrics.ts';

await runService('call-control', configSchema, async (app, config) => {
  const etcd = app.add(new Etcd(app, config.etcd));
  registerEtcdResolver(etcd);
  const nats = app.add(new Nats(app, config.nats));
  const policy = grpcClient(app, PolicyServiceClient, config.services.policy);
  const decisions = new Decisions(policy, app.instance);
  const sessions = grpcClient(app, SessionCacheServiceClient, config.services.session_cache);
  const metrics = controlMetrics(app.meter);
  const access = new Access(app.add(new AuditPublisher(app, nats)));

  // What is known of calls.
  const legs = new LiveLegs();
  app.add(legFeed(app, nats, legs));
  const places = new Places(sessions, legs);

  // What may be commanded.
  const logger = app.log;
  const send = (nodeId: string, command: NodeCommand) => sendCommand(nats, nodeId, command);
  const commander = new Commander({ access, log: new CommandLog(nats), places, send, metrics, logger });
  const control = controlService({ commander, access, places, decisions, nats, newUuid: randomUUID });
  const served: ServiceBinding[] = [[CallControlServiceService, control]];

  // What is recorded of calls, and of what was refused.
  if (config.records.enabled) {
    const database = await openDatabase<Tables>(app, config);
    const records = addRecords(app, nats, database, config.records.keep_days);
    served.push([CdrServiceService, cdrService(access, records)]);
    served.push([AuditServiceService, auditService(access, records)]);
  }
  const grpc = app.add(grpcServer(app, config.grpc, served, config.clients));
  app.add(serviceRegistration(app, etcd, 'call-control', () => grpc.address));

  // What answers calls by itself.
  if (config.application.enabled) {
    const lateMs = config.application.late_s * 1000;
    const answer = defaultApplication({ decisions, send, metrics, logger, lateMs });
    app.add(consumeCall(app, nats, 'call-control-app', answer, { event: 'created', concurrency: 64 }));
    const given = handOver({ legs, send, logger, otherwise: answer });
    app.add(consumeCall(app, nats, 'call-control-referred', given, { event: 'referred', concurrency: 64 }));
  }
});
