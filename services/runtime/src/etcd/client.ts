import { noop } from 'cockatiel';
import { Etcd3 } from 'etcd3';
import type { CommonConfig } from '../config.ts';

/**
 * An etcd3 client without its own retries and circuit breakers: they hide for
 * seconds that a server is back, and every caller here has its own deadline.
 * Keepalive is what notices a frozen server.
 */
export function etcdClient(config: CommonConfig['etcd']): Etcd3 {
  const client = new Etcd3({
    hosts: config.endpoints,
    dialTimeout: 2_000,
    faultHandling: { host: () => noop, global: noop },
    grpcOptions: {
      'grpc.keepalive_time_ms': 2_000,
      'grpc.keepalive_timeout_ms': 1_000,
      'grpc.keepalive_permit_without_calls': 1,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1_000,
    },
  });
  return client;
}
