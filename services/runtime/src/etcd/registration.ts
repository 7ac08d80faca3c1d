import type { Component } from '../lifecycle.ts';
import type { App } from '../service.ts';
import type { Etcd } from './etcd.ts';
import type { EtcdLease } from './lease.ts';
import { serviceKey } from './resolver.ts';

/** Seconds an instance that died without a goodbye is still told of. */
const TTL_S = 5;

/** Tells of this instance at /callmesh/services/<service>/<instance> from start to drain. */
export function serviceRegistration(app: App, etcd: Etcd, service: string, address: () => string): Component {
  let lease: EtcdLease | undefined;
  return {
    name: `registration-${service}`,
    async start() {
      lease = etcd.lease(`service ${service}`, TTL_S);
      lease.put(serviceKey(service, app.instance), address());
    },
    async drain() {
      await lease?.close();
    },
  };
}
