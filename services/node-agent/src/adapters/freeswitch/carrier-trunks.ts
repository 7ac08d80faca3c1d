import { readFile } from 'node:fs/promises';
import { type App, type Component, fail, toCallmeshError } from '@callmesh/runtime';
import { z } from 'zod';
import {
  type Change,
  changeBetween,
  type Gateway,
  gatewaysOf,
  inDoubt,
  type Told,
  toldOf,
} from '../../domain/xml/carriers.ts';
import { Due } from '../due.ts';
import type { EslConnection } from '../esl/connection.ts';
import type { EslEvent } from '../esl/event.ts';
import { replaceFile } from '../replace-file.ts';
import type { TenantMemory } from '../sources/tenant-memory.ts';
import { carriersDocument } from '../xml/documents.ts';
import type { Attendant } from './attendant.ts';

/** Changes that come close together are one, milliseconds. */
const SETTLE_MS = 200;
/** Pause after what FreeSWITCH did not take, milliseconds. */
const FAILED_MS = 10_000;
const COMMAND_MS = 10_000;
/** A gateway that goes says goodbye to its registrar first, milliseconds. */
const GOING_MS = 5_000;
const PROFILE = 'sofia profile carriers';
const DELETED = 'sofia::gateway_delete';

/** What one life of FreeSWITCH was told. */
const ToldFile = z.object({
  epoch: z.string(),
  networks: z.string(),
  gateways: z.record(z.string(), z.string()),
});

/** Keeps an fs-tandem's access list and gateways equal to the carrier trunks of the registry. */
export class CarrierTrunks implements Attendant, Component {
  readonly name = 'carrier-trunks';
  readonly subclasses = [DELETED];
  readonly #app: App;
  readonly #tenants: Pick<TenantMemory, 'known' | 'directory'>;
  readonly #secretOf: (trunkId: string) => string | undefined;
  readonly #file: string;
  #connection: EslConnection | undefined;
  /** Undefined as long as nothing is known of any tenant. */
  #gateways: readonly Gateway[] | undefined;
  #document: string | undefined;
  #epoch = '';
  /** What this life of FreeSWITCH has; undefined when nobody knows. */
  #told: Told | undefined;
  /** What a life of FreeSWITCH asked for by itself. */
  #taken: Partial<Told> & { readonly epoch: string } = { epoch: '' };
  readonly #due = new Due(() => this.#applySafely());
  readonly #going = new Map<string, () => void>();

  /** `file` keeps what FreeSWITCH was told across a restart of the agent. */
  constructor(
    app: App,
    tenants: Pick<TenantMemory, 'known' | 'directory'>,
    secretOf: (trunkId: string) => string | undefined,
    file: string,
  ) {
    this.#app = app;
    this.#tenants = tenants;
    this.#secretOf = secretOf;
    this.#file = file;
    this.#look();
  }

  async stop(): Promise<void> {
    this.#connection = undefined;
    this.#due.cancel();
  }

  /** The directory's domain of the carriers as FreeSWITCH asks for it; undefined while they are not known. */
  document(fields: URLSearchParams): string | undefined {
    const gateways = this.#gateways;
    if (!gateways) return undefined;
    this.#take(fields, toldOf(gateways));
    this.#document ??= carriersDocument(gateways);
    return this.#document;
  }

  /** A FreeSWITCH that starts asks by itself: it need not be told again. */
  #take(fields: URLSearchParams, { networks, gateways }: Told): void {
    const epoch = fields.get('Core-UUID') ?? '';
    const before = this.#taken.epoch === epoch ? this.#taken : { epoch };
    const purpose = fields.get('purpose');
    if (purpose === 'network-list') this.#taken = { ...before, networks };
    if (purpose === 'gateways') this.#taken = { ...before, gateways };
  }

  async onOpen(connection: EslConnection): Promise<void> {
    try {
      const epoch = await connection.api('global_getvar core_uuid');
      if (epoch !== this.#epoch) this.#told = (await readTold(this.#file, epoch)) ?? this.#takenBy(epoch);
      this.#epoch = epoch;
      this.#connection = connection;
      await this.#due.now();
    } catch (error) {
      if (!connection.closed) this.#app.degraded('carrier-trunks', (error as Error).message);
    }
  }

  #takenBy(epoch: string): Told | undefined {
    const { networks, gateways } = this.#taken;
    return this.#taken.epoch === epoch && networks !== undefined && gateways
      ? { networks, gateways }
      : undefined;
  }

  onCustom(event: EslEvent): void {
    if (event.get('Event-Subclass') === DELETED) this.#going.get(event.get('Gateway') ?? '')?.();
  }

  /** Something in the registry changed. */
  change(): void {
    this.#look();
    this.#due.in(SETTLE_MS);
  }

  #look(): void {
    if (!this.#tenants.known) return;
    this.#gateways = gatewaysOf(this.#tenants.directory.usableTrunks(), this.#secretOf);
    this.#document = undefined;
  }

  async #applySafely(): Promise<void> {
    const connection = this.#connection;
    // The next connection begins with this.
    if (!connection || connection.closed || !this.#gateways) return;
    try {
      await this.#apply(connection, this.#gateways);
      this.#app.degraded('carrier-trunks', null);
    } catch (error) {
      this.#app.degraded('carrier-trunks', (error as Error).message);
      this.#due.in(FAILED_MS);
    }
  }

  async #apply(connection: EslConnection, gateways: readonly Gateway[]): Promise<void> {
    const wanted = toldOf(gateways);
    const before = this.#told ?? { networks: '', gateways: await this.#found(connection) };
    const change = changeBetween(before, wanted);
    this.#told = inDoubt(before, change);
    await this.#carryOut(connection, change);
    this.#told = wanted;
    await replaceFile(this.#file, JSON.stringify({ epoch: this.#epoch, ...wanted }), 0o600);
  }

  async #carryOut(connection: EslConnection, { networks, gone, come }: Change): Promise<void> {
    if (networks) await this.#command(connection, 'reloadacl');
    await Promise.all(gone.map((id) => this.#kill(connection, id, come.includes(id))));
    if (come.length > 0) {
      await this.#command(connection, `${PROFILE} rescan`);
      const found = await this.#found(connection);
      const missing = come.filter((id) => !Object.hasOwn(found, id));
      if (missing.length > 0) throw fail('internal', `FreeSWITCH did not take ${missing.join(', ')}`);
    }
    if (networks || gone.length > 0 || come.length > 0)
      this.#app.log.info({ networks, gone, come }, 'carrier trunks changed');
  }

  /** The gateways that are there; with which parameters, FreeSWITCH does not say. */
  async #found(connection: EslConnection): Promise<Told['gateways']> {
    const names: string[] = [];
    for (const state of ['up', 'down']) {
      // Without any it has "no reply".
      const list = await this.#command(connection, `${PROFILE} gwlist ${state}`).catch(unlessRefused);
      names.push(...(list ?? '').split(/\s+/).filter((name) => name !== ''));
    }
    return Object.fromEntries(names.map((name) => [name, '']));
  }

  /** One that comes again registers only after it has left: its goodbye would take the new registration with it. */
  async #kill(connection: EslConnection, id: string, comesAgain: boolean): Promise<void> {
    const gone = new Promise<void>((resolve) => {
      this.#going.set(id, resolve);
      setTimeout(resolve, GOING_MS).unref();
    });
    try {
      const killed = await this.#command(connection, `${PROFILE} killgw ${id}`).catch(unlessRefused);
      if (killed !== undefined && comesAgain) await gone;
    } finally {
      this.#going.delete(id);
    }
  }

  async #command(connection: EslConnection, command: string): Promise<string> {
    const { body } = await connection.bgapi(command, COMMAND_MS);
    // Sofia says this as if it were a result, before the profile is there.
    if (body.startsWith('Invalid Profile')) throw fail('unavailable', body);
    return body;
  }
}

/** What FreeSWITCH has not, it needs not be rid of. */
function unlessRefused(error: unknown): undefined {
  if (toCallmeshError(error).code !== 'precondition_failed') throw error;
}

/** What this life of FreeSWITCH was told by an agent before this one; undefined when nobody knows. */
async function readTold(file: string, epoch: string): Promise<Told | undefined> {
  try {
    const told = ToldFile.parse(JSON.parse(await readFile(file, 'utf8')));
    return told.epoch === epoch ? told : undefined;
  } catch {
    return undefined;
  }
}
