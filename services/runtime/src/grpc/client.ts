import { readFileSync } from 'node:fs';
import {
  type CallOptions,
  type Client,
  type ClientOptions,
  type ClientReadableStream,
  type ClientUnaryCall,
  credentials,
  InterceptingCall,
  type Interceptor,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { context, metrics } from '@opentelemetry/api';
import type { CommonConfig } from '../config.ts';
import { fail } from '../errors.ts';
import { inject, SpanKind, startStep } from '../tracing.ts';
import { fromGrpcError } from './errors.ts';

type ClientClass<C> = new (
  address: string,
  creds: ReturnType<typeof credentials.createInsecure>,
  options?: ClientOptions,
) => C;

/** Who calls, and with what credentials; an App is one. */
export interface Caller {
  readonly name: string;
  readonly instance: string;
  readonly config: { readonly auth: Pick<CommonConfig['auth'], 'token'> } & {
    readonly grpc: Pick<CommonConfig['grpc'], 'tls'>;
  };
}

/** Keepalive finds a frozen peer within three seconds; the back-off never grows past one. */
const CHANNEL: ClientOptions = {
  'grpc.enable_channelz': 0,
  'grpc.keepalive_time_ms': 2_000,
  'grpc.keepalive_timeout_ms': 1_000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
};

/**
 * A client of another service. `target` is "etcd:///<service>" or "host:port".
 * Every call carries the mesh's token, this service's name and the trace context.
 */
export function grpcClient<C extends Client>(
  caller: Caller,
  Ctor: ClientClass<C>,
  target: string,
  /** Name in the server's certificate, where the target is an address; "etcd:///<service>" is known as <service>. */
  serverName?: string,
): C {
  const { tls } = caller.config.grpc;
  const creds = tls
    ? credentials.createSsl(readFileSync(tls.ca), readFileSync(tls.key), readFileSync(tls.cert))
    : credentials.createInsecure();
  return new Ctor(target, creds, {
    ...CHANNEL,
    ...(serverName && { 'grpc.ssl_target_name_override': serverName }),
    interceptors: [identify(caller)],
  });
}

const GRPC = { 'rpc.system.name': 'grpc' };
const SETTER = { set: (carrier: Metadata, key: string, value: string) => carrier.set(key, value) };

/** Says who calls and for which call, counts and times. */
function identify({ name, instance, config }: Caller): Interceptor {
  const duration = metrics.getMeter('callmesh').createHistogram('rpc.client.call.duration', {
    unit: 's',
    description: 'time from a call to its status, as the caller sees it',
  });
  return (options, nextCall) => {
    const { path, requestStream, responseStream } = options.method_definition;
    const unary = !requestStream && !responseStream;
    const rpc = path.slice(1);
    return new InterceptingCall(nextCall(options), {
      start(metadata, _listener, next) {
        const started = performance.now();
        const step = unary ? startStep(rpc, SpanKind.CLIENT, context.active(), GRPC) : undefined;
        // Who has none is known by the client certificate.
        if (config.auth.token) metadata.set('authorization', `Bearer ${config.auth.token}`);
        if (!metadata.get('callmesh-actor').length) metadata.set('callmesh-actor', `${name}/${instance}`);
        if (unary) context.with(step?.context ?? context.active(), () => inject(metadata, SETTER));
        next(metadata, {
          onReceiveStatus(result, deliver) {
            const code = status[result.code];
            const labels = { ...GRPC, 'rpc.method': rpc, 'rpc.response.status_code': code };
            if (unary) duration.record((performance.now() - started) / 1000, labels);
            step?.end(result.code === status.OK ? undefined : result.details);
            deliver(result);
          },
        });
      },
    });
  };
}

/** ts-proto's last overload of a unary method: the one inference sees. */
type Unary<Req, Res> = (
  request: Req,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: Res) => void,
) => ClientUnaryCall;
type RequestOf<M> = M extends Unary<infer Req, infer _Res> ? Req : never;
type ResponseOf<M> = M extends Unary<infer _Req, infer Res> ? Res : never;

/** Deadline of a call that names none, milliseconds. */
const DEADLINE_MS = 2_000;

export interface CallSettings {
  /** Most time the call may take, milliseconds; 2000 unless told. */
  readonly deadlineMs?: number;
  /** Aborting cancels the call. */
  readonly signal?: AbortSignal;
}

/** A unary call as a promise; failures are CallmeshErrors. Never retried: the caller knows whether that is safe. */
export function call<C extends Client, K extends keyof C>(
  client: C,
  method: K,
  request: RequestOf<C[K]>,
  { deadlineMs = DEADLINE_MS, signal }: CallSettings = {},
): Promise<ResponseOf<C[K]>> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(fail('cancelled', `${String(method)} was cancelled`));
    const invoke = client[method] as Unary<RequestOf<C[K]>, ResponseOf<C[K]>>;
    const running = invoke.call(
      client,
      request,
      new Metadata(),
      { deadline: Date.now() + deadlineMs },
      (error, response) => {
        signal?.removeEventListener('abort', cancel);
        if (error) reject(fromGrpcError(error));
        else resolve(response);
      },
    );
    const cancel = () => running.cancel();
    signal?.addEventListener('abort', cancel, { once: true });
  });
}

type ServerStream<Req, Res> = (
  request: Req,
  metadata?: Metadata,
  options?: Partial<CallOptions>,
) => ClientReadableStream<Res>;
type StreamRequestOf<M> = M extends ServerStream<infer Req, infer _Res> ? Req : never;
type StreamResponseOf<M> = M extends ServerStream<infer _Req, infer Res> ? Res : never;

/** A server stream as an async iterable; ends with a CallmeshError when the stream fails, quietly when aborted. */
export async function* serverStream<C extends Client, K extends keyof C>(
  client: C,
  method: K,
  request: StreamRequestOf<C[K]>,
  { signal }: { readonly signal?: AbortSignal } = {},
): AsyncGenerator<StreamResponseOf<C[K]>> {
  if (signal?.aborted) return;
  const invoke = client[method] as ServerStream<StreamRequestOf<C[K]>, StreamResponseOf<C[K]>>;
  const stream = invoke.call(client, request, new Metadata(), {});
  const cancel = () => stream.cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    for await (const message of stream) yield message as StreamResponseOf<C[K]>;
  } catch (error) {
    if (!signal?.aborted) throw fromGrpcError(error);
  } finally {
    signal?.removeEventListener('abort', cancel);
    stream.cancel();
  }
}
