import { TenantRegistryServiceClient, type WatchEvent } from '@callmesh/proto/tenant';
import { type App, type Component, grpcClient, serverStream } from '@callmesh/runtime';
import { Directory } from '../../domain/kamailio/directory.ts';
import { again } from './retry.ts';

/** Follows tenant-registry; while it is silent the last known directory stays. */
export class TenantSource implements Component {
  readonly name = 'tenant-source';
  readonly #app: App;
  readonly #client: TenantRegistryServiceClient;
  readonly #onChange: () => void;
  readonly #abort = new AbortController();
  #directory: Directory;
  #heard = false;

  constructor(app: App, target: string, known: Directory, onChange: () => void) {
    this.#app = app;
    this.#client = grpcClient(app, TenantRegistryServiceClient, target);
    this.#directory = known;
    this.#onChange = onChange;
  }

  /** True once the registry told all it has. */
  get heard(): boolean {
    return this.#heard;
  }

  get directory(): Directory {
    return this.#directory;
  }

  async start(): Promise<void> {
    const { signal } = this.#abort;
    void again(
      signal,
      () => this.#follow(signal),
      (error) => signal.aborted || this.#app.degraded('tenant-registry', error.message),
    );
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    this.#client.close();
  }

  async #follow(signal: AbortSignal): Promise<void> {
    // A snapshot replaces all: what was removed while nobody listened must not stay.
    let snapshot: Directory | undefined = new Directory();
    for await (const event of serverStream(this.#client, 'watch', { afterRevision: 0 }, { signal })) {
      const changed = apply(snapshot ?? this.#directory, event);
      if (event.event?.$case === 'snapshotDone' && snapshot) {
        this.#directory = snapshot;
        this.#heard = true;
        snapshot = undefined;
        this.#app.degraded('tenant-registry', null);
        this.#onChange();
      } else if (changed && !snapshot) this.#onChange();
    }
  }
}

/** True when something an edge needs changed. */
function apply(directory: Directory, { event }: WatchEvent): boolean {
  if (event?.$case === 'put') return directory.put(event.value);
  if (event?.$case === 'removed') return directory.remove(event.value.kind, event.value.id);
  return false;
}
