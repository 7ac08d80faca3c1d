import { SessionCacheServiceService } from '@callmesh/proto/session';
import {
  consumeCall,
  Etcd,
  grpcServer,
  Nats,
  runService,
  serviceRegistration,
  subscribeLoad,
} from '@callmesh/runtime';
import { teller } from './adapters/events.ts';
import { addGauges } from './adapters/gauges.ts';
import { NatsBucket } from './adapters/nats-kv.ts';
import { configSchema } from './config.ts';
import { SessionCache } from './session-cache.ts';

await runService('session-cache', configSchema, (app, config) => {
  const etcd = app.add(new Etcd(app, config.etcd));
  const nats = app.add(new Nats(app, config.nats));
  const connection = () => (nats.connected ? nats.connection : undefined);
  const bucket = (name: string) =>
    app.add(new NatsBucket(connection, { bucket: name, replicas: config.nats.replicas }));
  const cache = new SessionCache({
    sessionStore: bucket('sessions'),
    registrationStore: bucket('registrations'),
    tell: teller(app, nats),
    degraded: (source, reason) => app.degraded(source, reason),
    fault: (what, error) => app.log.error({ err: error, what }, 'background work failed'),
    restored: (source, count) => app.log.warn({ source, count }, 'put back what the store had lost'),
    limits: config.limits,
    unconfirmedMs: config.unconfirmed_s * 1000,
  });
  addGauges(app, cache);
  const server = app.add(grpcServer(app, config.grpc, [[SessionCacheServiceService, cache.handlers]]));
  app.add(cache);
  subscribeLoad(nats, (report) => cache.idleNodes.note(report));
  app.add(consumeCall(app, nats, 'session-cache', (event) => cache.calls.handle(event)));
  app.add(serviceRegistration(app, etcd, 'session-cache', () => server.address));
});
