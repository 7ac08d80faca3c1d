import { timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { packageDefinition } from '@callmesh/proto/descriptors';
import {
  type Metadata,
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { context } from '@opentelemetry/api';
import { HealthImplementation } from 'grpc-health-check';
import type { CommonConfig } from '../config.ts';
import { fail } from '../errors.ts';
import { splitAddress } from '../http.ts';
import type { Component } from '../lifecycle.ts';
import type { App } from '../service.ts';
import { extract, SpanKind, type Step, startStep } from '../tracing.ts';
import { toGrpcError } from './errors.ts';
import { endStreams, onHandlerFault } from './handlers.ts';
import { MESH, type Principal, setPrincipal } from './principal.ts';

/** A service definition with what implements it. */
export type ServiceBinding = readonly [ServiceDefinition, UntypedServiceImplementation];

/** A client beside the mesh itself: its token, and for whom it may act. */
export interface GrpcClientCredentials extends Principal {
  readonly token: string;
}

/** Largest message taken, bytes: a tenant's YAML document is at most 1 MiB. */
const MAX_MESSAGE = 4 * 1024 * 1024;

/**
 * A gRPC server with health, reflection, bearer-token authentication, metrics
 * (OpenTelemetry RPC semantic conventions), spans and a log line per failed call.
 * The mesh's own token may do everything; `clients` name others, and for whom they
 * may act: handlers find that in the context's `principal`.
 */
export function grpcServer(
  app: App,
  config: CommonConfig['grpc'],
  services: readonly ServiceBinding[],
  clients: readonly GrpcClientCredentials[] = [],
): Component & { readonly address: string } {
  const server = new Server({
    interceptors: [observe(app), authenticate(app.config.auth, clients)],
    'grpc.max_receive_message_length': MAX_MESSAGE,
    // Nobody asks for channelz, and every call would pay for it.
    'grpc.enable_channelz': 0,
    'grpc.keepalive_time_ms': 10_000,
    'grpc.keepalive_timeout_ms': 3_000,
  });
  onHandlerFault((path, error) => app.log.error({ err: error, method: path }, 'handler failed'));
  for (const [definition, implementation] of services) server.addService(definition, implementation);
  const health = new HealthImplementation({ '': 'NOT_SERVING' });
  health.addToServer(server);
  new ReflectionService(packageDefinition()).addToServer(server);
  let address = config.listen;
  app.addresses.grpc ??= () => address;
  return {
    name: 'grpc-server',
    get address() {
      return config.advertise ?? address;
    },
    async start() {
      const port = await new Promise<number>((resolve, reject) =>
        server.bindAsync(config.listen, credentials(config), (error, bound) =>
          error ? reject(error) : resolve(bound),
        ),
      );
      const { host } = splitAddress(config.listen);
      address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
      health.setStatus('', 'SERVING');
    },
    drain() {
      health.setStatus('', 'NOT_SERVING');
      const finished = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      endStreams();
      return finished;
    },
    async stop() {
      server.forceShutdown();
    },
  };
}

function credentials({ tls }: CommonConfig['grpc']): ServerCredentials {
  if (!tls) return ServerCredentials.createInsecure();
  const [ca, cert, key] = [tls.ca, tls.cert, tls.key].map((file) => readFileSync(file));
  return ServerCredentials.createSsl(ca!, [{ cert_chain: cert!, private_key: key! }], true);
}

/**
 * Refuses calls without a token that is known, or a client certificate that is named in
 * the config; health stays open for probes. A wrong token is refused whatever the certificate.
 */
function authenticate(
  { token: own, accepted, certificates }: CommonConfig['auth'],
  clients: readonly GrpcClientCredentials[],
): ServerInterceptor {
  const named = (call: ServerInterceptingCallInterface): Principal | undefined => {
    const name = call.getAuthContext().sslPeerCertificate?.subject.CN;
    return typeof name === 'string' && certificates.includes(name) ? { ...MESH, name } : undefined;
  };
  const mesh = [own, ...accepted].map((token) => ({ ...MESH, token }));
  const known = [...mesh, ...clients].map(({ token, name, tenants }) => ({
    expected: Buffer.from(`Bearer ${token}`),
    principal: { name, tenants },
  }));
  return (method, call) =>
    new ServerInterceptingCall(call, {
      start(next) {
        next({
          onReceiveMetadata(metadata, deliver) {
            const given = Buffer.from(metadata.get('authorization')[0]?.toString() ?? '');
            const match = known.find(
              ({ expected }) => given.length === expected.length && timingSafeEqual(given, expected),
            );
            const found = given.length === 0 ? named(call) : match?.principal;
            if (found) setPrincipal(metadata, found);
            if (found || method.path.startsWith('/grpc.health.v1.Health/')) deliver(metadata);
            else
              call.sendStatus(
                toGrpcError(
                  fail(
                    'unauthenticated',
                    'expected a valid bearer token, or the client certificate of an operator',
                  ),
                ),
              );
          },
        });
      },
    });
}

/** Counts and times every call; one that belongs to a trace that is recorded is a step of it. */
function observe(app: App): ServerInterceptor {
  const duration = app.meter.createHistogram('rpc.server.call.duration', {
    unit: 's',
    description: 'time from the first byte of a call to its status',
  });
  return (method, call) => {
    const started = performance.now();
    const name = method.path.slice(1);
    let step: Step | undefined;
    return new ServerInterceptingCall(call, {
      start(next) {
        next({
          onReceiveMetadata(metadata, deliver) {
            // A stream outlives the call that opened it.
            if (!method.requestStream && !method.responseStream)
              step = startStep(name, SpanKind.SERVER, extract(metadata, FIRST), {
                'rpc.system.name': 'grpc',
              });
            deliver(metadata);
          },
          onReceiveHalfClose(deliver) {
            context.with(step?.context ?? context.active(), deliver);
          },
        });
      },
      sendStatus(result, next) {
        const code = status[result.code];
        duration.record((performance.now() - started) / 1000, {
          'rpc.system.name': 'grpc',
          'rpc.method': name,
          'rpc.response.status_code': code,
        });
        if (result.code !== status.OK)
          context.with(step?.context ?? context.active(), () =>
            app.log.debug({ method: method.path, code, details: result.details }, 'call failed'),
          );
        step?.end(result.code === status.OK ? undefined : result.details);
        next(result);
      },
    });
  };
}

const FIRST = {
  get: (metadata: Metadata, key: string) => metadata.get(key)[0]?.toString(),
  keys: (metadata: Metadata) => Object.keys(metadata.getMap()),
};
