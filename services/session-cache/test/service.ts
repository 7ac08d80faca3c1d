import { SessionCacheServiceClient, SessionCacheServiceService } from '@callmesh/proto/session';
import { App, commonConfig, grpcClient, grpcServer, parseConfig } from '@callmesh/runtime';
import type { NatsConnection } from '@nats-io/nats-core';
import { z } from 'zod';
import { NatsBucket } from '../src/adapters/nats-kv.ts';
import type { Deed } from '../src/domain/sessions.ts';
import type { FeedingStore } from '../src/domain/store.ts';
import { SessionCache } from '../src/session-cache.ts';

const config = parseConfig(
  z.strictObject(commonConfig),
  'instance: t-1\nlog: { level: error }\nauth: { token: 0123456789abcdef }\nstate_dir: /tmp\n',
);

/** A whole session-cache behind gRPC on the stores given, with a client. */
export async function serve(sessionStore: FeedingStore, registrationStore: FeedingStore) {
  const deeds: Deed[] = [];
  const faults: unknown[] = [];
  const degraded = new Map<string, string>();
  const cache = new SessionCache({
    sessionStore,
    registrationStore,
    tell: (deed) => deeds.push(deed),
    degraded: (source, reason) => (reason === null ? degraded.delete(source) : degraded.set(source, reason)),
    fault: (_what, error) => faults.push(error),
    restored: () => {},
    limits: { sessions: 200_000, aors: 1000 },
    unconfirmedMs: 60_000,
  });
  const app = new App('session-cache', config);
  const server = app.add(grpcServer(app, config.grpc, [[SessionCacheServiceService, cache.handlers]]));
  app.add(cache);
  await app.lifecycle.start();
  const client = grpcClient(app, SessionCacheServiceClient, server.address);
  const stop = async () => {
    client.close();
    await app.lifecycle.shutdown();
  };
  return { cache, client, address: server.address, deeds, faults, degraded, stop };
}

/** The same on real NATS; stop it before the connection. */
export async function serveOnNats(nc: NatsConnection) {
  const [sessions, registrations] = ['sessions', 'registrations'].map(
    (bucket) => new NatsBucket(() => nc, { bucket, replicas: 1 }),
  ) as [NatsBucket, NatsBucket];
  const served = await serve(sessions, registrations);
  const stop = async () => {
    await served.stop();
    await sessions.stop();
    await registrations.stop();
  };
  return { ...served, stop };
}
