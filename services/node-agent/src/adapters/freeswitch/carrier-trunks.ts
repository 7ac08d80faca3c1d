import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { App } from '@callmesh/runtime';
import { z } from 'zod';
import { type Gateway, gatewaysOf } from '../../domain/xml/carriers.ts';
import type { EslConnection } from '../esl/connection.ts';
import { replaceFile } from '../replace-file.ts';
import type { TenantSource } from '../sources/tenant-source.ts';
import { carriersDocument } from '../xml/documents.ts';
import type { Attendant } from './attendant.ts';

/** Changes that come close together are one, milliseconds. */
const SETTLE_MS = 200;
const COMMAND_MS = 10_000;
const PROFILE = 'carriers';

/** What one life of FreeSWITCH was told: fingerprints of gateways by id. */
const Told = z.object({ epoch: z.string(), gateways: z.record(z.string(), z.string()) });
type Told = z.infer<typeof Told>;

/** Keeps an fs-tandem's access list and gateways equal to the carrier trunks of the registry. */
export class CarrierTrunks implements Attendant {
  readonly subclasses = [];
  readonly #app: App;
  readonly #source: TenantSource;
  readonly #secretOf: (trunkId: string) => string | undefined;
  #connection: EslConnection | undefined;
  #gateways: readonly Gateway[] = [];
  #epoch = '';
  /** Undefined when it is not known. */
  #told: Told | undefined;
  #timer: NodeJS.Timeout | undefined;
  #applying: Promise<void> | undefined;

  constructor(app: App, source: TenantSource, secretOf: (trunkId: string) => string | undefined) {
    this.#app = app;
    this.#source = source;
    this.#secretOf = secretOf;
  }

  /** The directory's domain of the carriers, as of now. */
  get document(): string {
    return carriersDocument(this.#gateways);
  }

  async onOpen(connection: EslConnection): Promise<void> {
    try {
      this.#epoch = await connection.api('global_getvar core_uuid');
      this.#told = await readTold(this.#file, this.#epoch);
      this.#connection = connection;
      this.change();
    } catch (error) {
      if (!connection.closed) this.#app.degraded('carrier-trunks', (error as Error).message);
    }
  }

  get #file(): string {
    return join(this.#app.config.state_dir, 'carriers.json');
  }

  onCustom(): void {}

  /** Something in the registry changed. */
  change(): void {
    this.#gateways = gatewaysOf(this.#source.directory.usableTrunks(), this.#secretOf);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#applying = (this.#applying ?? Promise.resolve()).then(() => this.#apply());
    }, SETTLE_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  async #apply(): Promise<void> {
    const connection = this.#connection;
    if (!connection || connection.closed) return;
    const wanted = Object.fromEntries(this.#gateways.map((gateway) => [gateway.id, fingerprint(gateway)]));
    const command = (text: string) => connection.bgapi(text, COMMAND_MS);
    const before = this.#told?.gateways;
    if (before && JSON.stringify(before) === JSON.stringify(wanted)) return;
    try {
      // A gateway that is there keeps its old parameters through a rescan.
      const changed = before ? Object.keys(before).filter((id) => before[id] !== wanted[id]) : ['_all_'];
      for (const id of changed) await command(`sofia profile ${PROFILE} killgw ${id}`);
      await command('reloadacl');
      await command(`sofia profile ${PROFILE} rescan`);
      this.#told = { epoch: this.#epoch, gateways: wanted };
      await replaceFile(this.#file, JSON.stringify(this.#told), 0o600);
      this.#app.degraded('carrier-trunks', null);
      this.#app.log.info(
        { trunks: this.#gateways.length, changed: changed.length },
        'carrier trunks are in force',
      );
    } catch (error) {
      this.#told = undefined;
      this.#app.degraded('carrier-trunks', (error as Error).message);
      // The next connection tells it all again.
      if (!connection.closed) this.change();
    }
  }
}

function fingerprint(gateway: Gateway): string {
  return createHash('sha256').update(JSON.stringify(gateway)).digest('base64url');
}

/** What this life of FreeSWITCH was told by an agent before this one; undefined when nobody knows. */
async function readTold(file: string, epoch: string): Promise<Told | undefined> {
  try {
    const told = Told.parse(JSON.parse(await readFile(file, 'utf8')));
    return told.epoch === epoch ? told : undefined;
  } catch {
    return undefined;
  }
}
