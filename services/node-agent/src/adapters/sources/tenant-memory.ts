import { readFile } from 'node:fs/promises';
import { Resource, TrunkKind } from '@callmesh/proto/tenant';
import type { App, Component } from '@callmesh/runtime';
import { z } from 'zod';
import { Directory } from '../../domain/kamailio/directory.ts';
import { replaceFile } from '../replace-file.ts';
import { TenantSource } from './tenant-source.ts';

/** Changes that come close together are written once, milliseconds. */
const SETTLE_MS = 1_000;

const Stored = z.array(z.unknown());

/** Tenants and their carriers as tenant-registry says, and as it said last: also after a restart while it is away. */
export class TenantMemory implements Component {
  readonly name = 'tenant-memory';
  readonly #app: App;
  readonly #file: string;
  readonly #source: TenantSource;
  readonly #remembers: boolean;
  #timer: NodeJS.Timeout | undefined;
  #writing = Promise.resolve();

  private constructor(app: App, file: string, source: TenantSource, remembers: boolean) {
    this.#app = app;
    this.#file = file;
    this.#source = source;
    this.#remembers = remembers;
  }

  static async open(app: App, target: string, file: string, onChange: () => void): Promise<TenantMemory> {
    const stored = await read(app, file);
    const directory = new Directory();
    for (const resource of stored ?? []) directory.put(resource);
    const source = new TenantSource(app, target, directory, () => {
      memory.#writeSoon();
      onChange();
    });
    const memory = new TenantMemory(app, file, source, stored !== undefined);
    return memory;
  }

  /** True when the registry told all it has, in this life or in an earlier one. */
  get known(): boolean {
    return this.#remembers || this.#source.heard;
  }

  get directory(): Directory {
    return this.#source.directory;
  }

  async start(): Promise<void> {
    await this.#source.start();
  }

  async stop(): Promise<void> {
    await this.#source.stop();
    if (this.#timer) this.#write();
    await this.#writing;
  }

  #writeSoon(): void {
    this.#timer ??= setTimeout(() => this.#write(), SETTLE_MS);
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.then(async () => {
      try {
        const resources = this.directory.resources().flatMap(kept);
        await replaceFile(this.#file, JSON.stringify(resources), 0o600);
        this.#app.degraded('state-dir', null);
      } catch (error) {
        this.#app.degraded('state-dir', (error as Error).message);
      }
    });
  }
}

/** Nothing that is stored nowhere else is lost with a file that cannot be read. */
async function read(app: App, file: string): Promise<Resource[] | undefined> {
  try {
    return Stored.parse(JSON.parse(await readFile(file, 'utf8'))).map((value) => Resource.fromJSON(value));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      app.log.warn({ err: error }, 'what was known of tenants cannot be read');
    return undefined;
  }
}

/** What is of use beside a FreeSWITCH; hashes of passwords are of none. */
function kept({ value, revision }: Resource): unknown[] {
  if (value?.$case === 'tenant') return [Resource.toJSON({ value, revision })];
  if (value?.$case !== 'trunk' || value.value.kind !== TrunkKind.TRUNK_KIND_CARRIER) return [];
  const trunk = { ...value.value, ha1Md5: '', ha1Sha256: '' };
  return [Resource.toJSON({ value: { $case: 'trunk', value: trunk }, revision })];
}
