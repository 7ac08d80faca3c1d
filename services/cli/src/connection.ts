import { type CommonConfig, call, etcdAccess, fail, grpcClient } from '@callmesh/runtime';
import type { Client } from '@grpc/grpc-js';
import { Etcd3 } from 'etcd3';

/** How the mesh is reached; each has a flag and an environment variable. */
export interface ConnectionOptions {
  /** etcd endpoints, where services tell their addresses. */
  readonly etcd: readonly string[];
  /** Who one is to etcd, and who it must be. */
  readonly etcdAccess?: Parameters<typeof etcdAccess>[0];
  /** Addresses by service that win over etcd: "state=127.0.0.1:7001". */
  readonly server: readonly string[];
  readonly token: string;
  readonly tls: CommonConfig['grpc']['tls'];
  /** Deadline of one question, milliseconds. */
  readonly timeoutMs: number;
}

type ClientClass<C extends Client> = Parameters<typeof grpcClient<C>>[1];

/** A connection to the mesh's services, each opened when it is first needed. */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #clients = new Map<unknown, Client>();
  readonly #opened: Client[] = [];
  #etcd: Etcd3 | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  get timeoutMs(): number {
    return this.#options.timeoutMs;
  }

  /** A client of any instance of a service. Errors: unavailable when there is none. */
  async client<C extends Client>(Ctor: ClientClass<C>, service: string): Promise<C> {
    const known = this.#clients.get(Ctor);
    if (known) return known as C;
    const client = this.open(Ctor, `ipv4:${(await this.addresses(service)).join(',')}`, service);
    this.#clients.set(Ctor, client);
    return client;
  }

  /** A client of one instance of a service, closed with the connection. */
  open<C extends Client>(Ctor: ClientClass<C>, target: string, service: string): C {
    const { token, tls } = this.#options;
    const caller = { name: 'cli', instance: 'cli', config: { auth: { token }, grpc: { tls } } };
    const client = grpcClient(caller, Ctor, target, service);
    this.#opened.push(client);
    return client;
  }

  /** "host:port" of every instance of a service. Errors: unavailable when there is none. */
  async addresses(service: string): Promise<readonly string[]> {
    const instances = await this.instances(service);
    if (instances.size === 0)
      throw fail('unavailable', `no instance of ${service} is registered in etcd (is it running?)`);
    return [...instances.values()];
  }

  /** Every instance of a service and where it is. Errors: unavailable when etcd does not answer. */
  async instances(service: string): Promise<ReadonlyMap<string, string>> {
    const given = this.#options.server
      .filter((entry) => entry.startsWith(`${service}=`))
      .map((entry) => entry.slice(service.length + 1));
    if (given.length > 0) return new Map(given.map((address) => [address, address]));
    const prefix = `/callmesh/services/${service}/`;
    const found = await this.etcd((etcd) => etcd.getAll().prefix(prefix).strings());
    return new Map(Object.entries(found).map(([key, address]) => [key.slice(prefix.length), address]));
  }

  /** One question to etcd. Errors: unavailable. */
  async etcd<T>(question: (etcd: Etcd3) => Promise<T>): Promise<T> {
    const { etcd, etcdAccess: access = {}, timeoutMs } = this.#options;
    this.#etcd ??= new Etcd3({ hosts: [...etcd], dialTimeout: timeoutMs, ...etcdAccess(access) });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('no answer in time')), timeoutMs);
    });
    try {
      return await Promise.race([question(this.#etcd), late]);
    } catch (error) {
      throw fail('unavailable', `etcd at ${etcd.join(', ')}: ${(error as Error).message}`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    for (const client of this.#opened) client.close();
    this.#etcd?.close();
  }
}

/** `call` with the connection's deadline. */
export function ask<C extends Client, K extends keyof C>(
  connection: Connection,
  client: C,
  method: K,
  request: Parameters<typeof call<C, K>>[2],
): ReturnType<typeof call<C, K>> {
  return call(client, method, request, { deadlineMs: connection.timeoutMs });
}
