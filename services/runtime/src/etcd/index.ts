export { Etcd } from './etcd.ts';
export type { EtcdLease } from './lease.ts';
export { serviceRegistration } from './registration.ts';
export { registerEtcdResolver, serviceKey } from './resolver.ts';
