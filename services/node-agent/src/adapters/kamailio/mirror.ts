import type { Desired, Known, TableName } from '../../domain/kamailio/desired.ts';
import type { Table } from '../../domain/kamailio/tables.ts';
import { writeList } from './list-file.ts';
import type { KamailioRpc } from './rpc.ts';
import { readTable, writeTable } from './tables.ts';

/** Files of the lists Kamailio loads on request. */
export interface ListFiles {
  readonly dispatcherList: string;
  readonly addressList: string;
}

/**
 * What Kamailio has loaded, and the way to make it what is desired. Only what
 * differs is sent; after any failure, and after a restart of Kamailio, what it
 * holds is read back first.
 */
export class Mirror {
  readonly #rpc: KamailioRpc;
  readonly #files: ListFiles;
  /** Those this edge has. */
  readonly #names: ReadonlySet<TableName>;
  readonly #tables = new Map<TableName, Table>();
  readonly #loadedLists = new Set<keyof ListFiles>();
  #destinations = 0;
  /** What the list files were last written from. */
  #written: Desired | undefined;

  constructor(rpc: KamailioRpc, files: ListFiles, tables: readonly TableName[]) {
    this.#rpc = rpc;
    this.#files = files;
    this.#names = new Set(tables);
  }

  /** Entries of the fallback list that is loaded. */
  get destinations(): number {
    return this.#destinations;
  }

  /** Trusts nothing of what was loaded. */
  forget(): void {
    this.#tables.clear();
    this.#loadedLists.clear();
    this.#destinations = 0;
    this.#written = undefined;
  }

  /**
   * Writes the lists, whether or not Kamailio runs: one that starts loads them.
   * Sets and their owners only together: an owner with another life's number
   * would reach another tenant's nodes.
   */
  async writeLists(desired: Desired, known: Known): Promise<void> {
    if (!known.nodes || !known.tenants || this.#written === desired) return;
    for (const name of ['dispatcherList', 'addressList'] as const) {
      if (await writeList(this.#files[name], desired[name])) this.#loadedLists.delete(name);
    }
    this.#written = desired;
  }

  /**
   * Makes Kamailio hold what is desired, as far as that is known; returns how
   * many changes it took. Errors: as KamailioRpc's.
   */
  async apply(desired: Desired, known: Known): Promise<number> {
    try {
      let changes = 0;
      // First the nodes: nothing may be routed to one that is not in the table.
      if (known.nodes) changes += await this.#applyTable('nodes', desired);
      if (known.policies) changes += await this.#applyTable('policy', desired);
      if (known.tenants) {
        changes += await this.#applyTable('trunkdest', desired);
        changes += await this.#applyTable('origins', desired);
      }
      if (known.nodes && known.tenants) changes += await this.#applyFallback(desired);
      return changes;
    } catch (error) {
      this.forget();
      throw error;
    }
  }

  async #applyFallback(desired: Desired): Promise<number> {
    let changes = await this.#reload('dispatcherList', 'dispatcher.reload');
    this.#destinations = desired.dispatcherList.length;
    // Only now who may use the sets.
    changes += await this.#reload('addressList', 'permissions.addressReload');
    changes += await this.#applyTable('trunkauth', desired);
    return changes + (await this.#applyTable('tenants', desired));
  }

  async #applyTable(name: TableName, { tables }: Desired): Promise<number> {
    const desired = tables[name];
    if (!this.#names.has(name)) return 0;
    if (this.#tables.get(name) === desired) return 0;
    const loaded = this.#tables.get(name) ?? (await readTable(this.#rpc, name));
    const changes = await writeTable(this.#rpc, name, loaded, desired);
    this.#tables.set(name, desired);
    return changes;
  }

  async #reload(name: keyof ListFiles, method: string): Promise<number> {
    if (this.#loadedLists.has(name)) return 0;
    await this.#rpc.ask(method);
    this.#loadedLists.add(name);
    return 1;
  }
}
