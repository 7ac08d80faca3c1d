import { join } from 'node:path';
import { PolicyServiceService } from '@callmesh/proto/policy';
import { SessionCacheServiceClient } from '@callmesh/proto/session';
import { StateServiceClient } from '@callmesh/proto/state';
import { TenantRegistryServiceClient } from '@callmesh/proto/tenant';
import {
  AuditPublisher,
  Etcd,
  grpcClient,
  grpcServer,
  Nats,
  registerEtcdResolver,
  runService,
  serviceRegistration,
} from '@callmesh/runtime';
import { Assignments } from './adapters/assignments.ts';
import { BindStream } from './adapters/bind-stream.ts';
import { Binder } from './adapters/binder.ts';
import { Decisions } from './adapters/decisions.ts';
import { nodeFeed, sessionFeed, tenantFeed } from './adapters/feeds.ts';
import { firstSnapshot } from './adapters/first-snapshot.ts';
import { follow } from './adapters/follow.ts';
import { followLegs } from './adapters/legs.ts';
import { registrations } from './adapters/registrations.ts';
import { sessionIds } from './adapters/session-ids.ts';
import { sessionLookup } from './adapters/session-lookup.ts';
import { snapshotFile } from './adapters/snapshot-file.ts';
import { configSchema } from './config.ts';
import { AgentsDesk } from './handlers/agents.ts';
import { destinationResolver } from './handlers/destinations.ts';
import { dialogHandler } from './handlers/dialog.ts';
import { DialplanAnswerer } from './handlers/freeswitch/dialplan.ts';
import { directoryAnswerer } from './handlers/freeswitch/directory.ts';
import { policyService } from './handlers/grpc.ts';
import { httpApi } from './handlers/http.ts';
import { routingMetrics } from './handlers/metrics.ts';
import { numberExplainer } from './handlers/numbers.ts';
import { SessionRouter } from './handlers/session-router.ts';
import { Mesh } from './mesh.ts';

await runService('policy', configSchema, (app, config) => {
  const { services, bindings, auth } = config;
  const mesh = new Mesh({
    bindingLimit: bindings.memory,
    now: Date.now(),
    premiumPrefixes: config.destinations.premium_prefixes,
  });

  // What is known: from the last snapshot first, then from whoever answers.
  app.add(snapshotFile(app, mesh, join(config.state_dir, 'snapshot.json')));
  const etcd = app.add(new Etcd(app, config.etcd));
  registerEtcdResolver(etcd);
  const nats = app.add(new Nats(app, config.nats));
  const sessions = grpcClient(app, SessionCacheServiceClient, services.session_cache);
  const assignments = app.add(new Assignments(app, nats, mesh));
  const decisions = app.add(new Decisions(app, nats));
  app.add(
    follow(app, tenantFeed(grpcClient(app, TenantRegistryServiceClient, services.tenant_registry), mesh)),
  );
  app.add(follow(app, nodeFeed(grpcClient(app, StateServiceClient, services.state), mesh)));
  app.add(follow(app, sessionFeed(sessions, mesh)));
  app.add(followLegs(nats, mesh));
  app.add(firstSnapshot(mesh));

  // What is decided.
  const stream = app.add(new BindStream(app, sessions));
  const binder = app.add(new Binder(app, mesh, stream, bindings.deadline_ms));
  const metrics = routingMetrics(app.meter, mesh, () => binder.waiting);
  const contacts = registrations(sessions);
  const router = new SessionRouter(mesh, {
    bind: (proposal, replace) => binder.bind(proposal, replace),
    announce: (nodeId, epoch, sessionId) => assignments.announce(nodeId, epoch, sessionId),
    newSessionId: sessionIds(),
    tell: (decided) => decisions.tell(decided),
    metrics,
    log: app.log,
  });
  const dialog = dialogHandler(mesh, sessionLookup(sessions, bindings.deadline_ms), app.log);

  const audit = app.add(new AuditPublisher(app, nats));
  const dialplan = new DialplanAnswerer(mesh, {
    router,
    contacts,
    audit: (refusal) => audit.publish(refusal),
    progressS: config.carriers.progress_timeout_s,
    metrics,
    log: app.log,
  });
  const freeswitch = {
    dialplan: (fields: Readonly<Record<string, string>>) => dialplan.answer(fields),
    directory: directoryAnswerer(mesh),
    metrics,
  };

  const agents = new AgentsDesk(mesh, {
    audit: (refusal) => audit.publish(refusal),
    metrics,
    expiresS: config.registrations.expires_s,
    log: app.log,
  });

  // Who may ask.
  const policy = policyService(mesh, {
    router,
    resolveDestination: destinationResolver(mesh, { contacts, metrics, log: app.log }),
    explainNumber: numberExplainer(mesh),
  });
  const grpc = app.add(grpcServer(app, config.grpc, [[PolicyServiceService, policy]]));
  const api = app.add(
    httpApi(
      { listen: config.api.listen, token: auth.token, accepted: auth.accepted, version: '0.1.0' },
      { router, dialog, agents, freeswitch, log: app.log },
    ),
  );
  app.addresses.api = () => api.address;
  app.add(serviceRegistration(app, etcd, 'policy', () => grpc.address));
  app.add(serviceRegistration(app, etcd, 'policy-http', () => config.api.advertise ?? api.address));
});
