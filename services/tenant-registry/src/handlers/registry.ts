import type { TenantRegistryServiceServer, WatchEvent, WatchRequest } from '@callmesh/proto/tenant';
import { type CallContext, fail, streamHandler, unaryHandler, type Write } from '@callmesh/runtime';
import type { Feed } from '../adapters/feed.ts';
import type { Store } from '../adapters/store.ts';
import type { Outcome } from '../adapters/writer.ts';
import type { Batch } from '../domain/batch.ts';
import { tenantOf } from '../domain/kind.ts';
import { listAudit } from './audit.ts';
import { exportTenant, importTenant } from './documents.ts';
import { create, get, list, remove, update } from './resources.ts';
import { watch } from './watch.ts';

/** Tells the mesh that something of a tenant changed; "" is the platform. */
export type Announce = (tenant: string, revision: number) => void;

/** What the handlers work with. */
export class Registry {
  readonly store: Store;
  readonly feed: Feed;
  readonly #announce: Announce;
  readonly #closing = new AbortController();
  #watchers = 0;

  constructor(store: Store, feed: Feed, announce: Announce) {
    this.store = store;
    this.feed = feed;
    this.#announce = announce;
  }

  /** Streams that are open now. */
  get watchers(): number {
    return this.#watchers;
  }

  /** Applies a batch, wakes this process's watchers and tells the mesh. */
  async apply(batch: Batch, actor: string, options: { dryRun?: boolean } = {}): Promise<Outcome> {
    const outcome = await this.store.apply(batch, actor, options);
    if (options.dryRun || !outcome.changes.length) return outcome;
    this.feed.moved(outcome.revision);
    const tenants = outcome.changes.map(({ spec, before, after }) => tenantOf(spec, (after ?? before)!));
    for (const tenant of new Set(tenants)) this.#announce(tenant, outcome.revision);
    return outcome;
  }

  /** Ends all watches: their callers go on at another instance. */
  async close(): Promise<void> {
    this.#closing.abort();
  }

  /** Serves one watcher to its end. */
  async watch(request: WatchRequest, signal: AbortSignal, write: Write<WatchEvent>): Promise<void> {
    this.#watchers += 1;
    try {
      await watch(
        { store: this.store, feed: this.feed, closing: this.#closing.signal },
        request,
        signal,
        write,
      );
    } finally {
      this.#watchers -= 1;
    }
  }
}

/** The gRPC service. */
export function registryService(registry: Registry): TenantRegistryServiceServer {
  return {
    create: unaryHandler((request, context) => create(registry, request, actorOf(request, context))),
    get: unaryHandler((request) => get(registry, request)),
    update: unaryHandler((request, context) => update(registry, request, actorOf(request, context))),
    delete: unaryHandler((request, context) => remove(registry, request, actorOf(request, context))),
    list: unaryHandler((request) => list(registry, request)),
    watch: streamHandler((request, { signal }, write) => registry.watch(request, signal, write)),
    importTenant: unaryHandler((request, context) =>
      importTenant(registry, request, actorOf(request, context)),
    ),
    exportTenant: unaryHandler((request) => exportTenant(registry, request)),
    listAudit: unaryHandler((request) => listAudit(registry, request)),
  };
}

/** Who asks, for the audit: whom the caller names, else the caller. */
function actorOf({ actor }: { actor: string }, context: CallContext): string {
  const name = actor || context.actor;
  if (/^[^\p{Cc}]{1,200}$/u.test(name)) return name;
  throw fail('invalid_argument', 'actor: expected 1-200 printable characters', { field: 'actor' });
}
