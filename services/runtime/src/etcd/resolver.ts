import { type ChannelOptions, experimental, Metadata, status } from '@grpc/grpc-js';
import { splitAddress } from '../http.ts';
import type { Etcd } from './etcd.ts';

type Resolver = experimental.Resolver;
type ResolverListener = experimental.ResolverListener;
type GrpcUri = experimental.GrpcUri;

const SERVICES = '/callmesh/services';

/** Where the instances of a service are told of. */
export function serviceKey(service: string, instance = ''): string {
  return `${SERVICES}/${service}/${instance}`;
}

/** Set once per process: the resolver scheme is global in grpc-js. */
let source: Etcd | undefined;

/**
 * Resolves "etcd:///<service>" to the addresses its instances registered, and
 * follows them. When etcd is silent, and also when it answers that there is no
 * instance at all, the last known addresses stay: a dead one costs a failed
 * connection, forgetting a living one costs calls.
 */
class EtcdResolver implements Resolver {
  readonly #listener: ResolverListener;
  readonly #instances = new Map<string, string>();
  readonly #service: string;
  #watch: { close(): void } | undefined;
  #known = false;

  constructor(target: GrpcUri, listener: ResolverListener, _options: ChannelOptions) {
    this.#service = target.path.replace(/^\//, '');
    this.#listener = listener;
  }

  updateResolution(): void {
    if (this.#watch || !source) return;
    this.#watch = source.watchPrefix(serviceKey(this.#service), {
      onSnapshot: (entries) => {
        if (entries.size === 0 && this.#known) return;
        this.#instances.clear();
        for (const [key, address] of entries) this.#instances.set(key, address);
        this.#tell();
      },
      onPut: (key, address) => {
        this.#instances.set(key, address);
        this.#tell();
      },
      onDelete: (key) => {
        if (this.#instances.size === 1) return;
        this.#instances.delete(key);
        this.#tell();
      },
    });
  }

  #tell(): void {
    const addresses = [...new Set(this.#instances.values())];
    if (addresses.length === 0) {
      const details = `no instance of ${this.#service} is registered`;
      this.#listener(
        experimental.statusOrFromError({ code: status.UNAVAILABLE, details, metadata: new Metadata() }),
        {},
        null,
        '',
      );
      return;
    }
    this.#known = true;
    const endpoints = addresses.map((address) => ({ addresses: [splitAddress(address)] }));
    this.#listener(experimental.statusOrFromValue(endpoints), {}, null, '');
  }

  destroy(): void {
    this.#watch?.close();
    this.#watch = undefined;
    this.#known = false;
  }

  static getDefaultAuthority(target: GrpcUri): string {
    return target.path.replace(/^\//, '');
  }
}

/** Makes "etcd:///<service>" usable as a gRPC target in this process. */
export function registerEtcdResolver(etcd: Etcd): void {
  if (!source) experimental.registerResolver('etcd', EtcdResolver);
  source = etcd;
}
