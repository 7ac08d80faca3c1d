import { fail } from '@callmesh/runtime';
import { mapped } from '@callmesh/runtime/sql';
import type { Kysely, Transaction } from 'kysely';
import type { Batch } from '../domain/batch.ts';
import type { KindName, KindSpec, Row } from '../domain/kind.ts';
import { kinds } from '../domain/kinds/index.ts';
import type { Stored } from '../domain/resource.ts';
import { toStored } from './rows.ts';
import type { KindTable, Tables } from './tables.ts';
import { applyBatch, type Outcome } from './writer.ts';

/** A change as watchers see it; no row: it was removed. */
export interface Delta {
  readonly revision: number;
  readonly kind: KindName;
  readonly id: string;
  readonly tenant: string;
  readonly row: Row | undefined;
}

/** One line of the audit. */
export interface AuditLine {
  readonly revision: number;
  readonly at: Date;
  readonly actor: string;
  readonly action: string;
  readonly kind: KindName;
  readonly id: string;
  readonly tenant: string;
  readonly changedFields: string[];
}

export interface ListQuery {
  readonly spec: KindSpec;
  /** Only this tenant's; empty: of all. */
  readonly tenant?: string;
  readonly after?: string;
  readonly limit: number;
}

/** Ends a transaction whose outcome is wanted without its effect. */
class RolledBack extends Error {
  readonly outcome: Outcome;
  constructor(outcome: Outcome) {
    super('rolled back as asked');
    this.outcome = outcome;
  }
}

/** The registry's data on either database. All errors are CallmeshErrors, or faults. */
export class Store {
  readonly #db: Kysely<Tables>;
  readonly #keepChanges: number;

  /** @param keepChanges how many changes are kept for watchers that come back */
  constructor(db: Kysely<Tables>, keepChanges: number) {
    this.#db = db;
    this.#keepChanges = keepChanges;
  }

  /** Applies a batch whole or not at all; a dry run says what it would have done. */
  async apply(batch: Batch, actor: string, { dryRun = false } = {}): Promise<Outcome> {
    try {
      return await mapped(() =>
        this.#db.transaction().execute(async (tx) => {
          const outcome = await applyBatch(tx, batch, actor, this.#keepChanges);
          if (dryRun) throw new RolledBack(outcome);
          return outcome;
        }),
      );
    } catch (error) {
      if (error instanceof RolledBack) return error.outcome;
      throw error;
    }
  }

  /** Errors: not_found. */
  async get(spec: KindSpec, id: string): Promise<Stored> {
    const record = await mapped(() =>
      this.#db.selectFrom(spec.name).selectAll().where('id', '=', id).executeTakeFirst(),
    );
    if (!record) throw fail('not_found', `there is no ${spec.name} ${id}`, { field: 'id' });
    return toStored(spec, record as KindTable);
  }

  /** Rows of one kind in order of their ids, and the revision they were read at. */
  list(query: ListQuery): Promise<{ rows: Stored[]; revision: number }> {
    return this.#read(async (tx) => ({ rows: await selectRows(tx, query), revision: await revisionOf(tx) }));
  }

  /** Everything, as of one revision, in an order in which each row only refers to those before it. */
  snapshot(): Promise<{ rows: Stored[]; revision: number }> {
    return this.#read(async (tx) => {
      const revision = await revisionOf(tx);
      const rows: Stored[] = [];
      for (const spec of kinds) for (const row of await selectRows(tx, { spec })) rows.push(row);
      return { rows, revision };
    });
  }

  /** All that is one tenant's, as of one revision; "*": the platform's. */
  ofTenant(tenant: string): Promise<Stored[]> {
    return this.#read(async (tx) => {
      const rows: Stored[] = [];
      for (const spec of kinds) {
        if (!spec.tenantColumn && tenant !== '*') continue;
        rows.push(...(await selectRows(tx, { spec, tenant: spec.tenantColumn ? tenant : '' })));
      }
      return rows;
    });
  }

  /**
   * Changes after a revision, in order, at most `limit`. Errors: out_of_range when
   * they are no longer kept, or the revision is none this registry has had.
   */
  async changes(after: number, limit: number): Promise<Delta[]> {
    const records = await mapped(() =>
      this.#db
        .selectFrom('change')
        .selectAll()
        .where('revision', '>', after)
        .orderBy('revision')
        .limit(limit)
        .execute(),
    );
    // Read after the changes: had they been trimmed before, this shows it.
    const { revision, floor } = await this.bounds();
    if (after < floor || after > revision)
      throw fail(
        'out_of_range',
        `after_revision: ${after} is not kept; expected ${floor} to ${revision}, or 0`,
        {
          field: 'after_revision',
        },
      );
    return records.map(({ revision, kind, id, tenant_id, row }) => ({
      revision: Number(revision),
      kind,
      id,
      tenant: tenant_id,
      row: (row as Row | null) ?? undefined,
    }));
  }

  /** The registry's revision, and the oldest from which changes are kept. */
  async bounds(): Promise<{ revision: number; floor: number }> {
    const { revision, floor } = await mapped(() =>
      this.#db.selectFrom('registry').selectAll().executeTakeFirstOrThrow(),
    );
    return { revision: Number(revision), floor: Number(floor) };
  }

  /** Audit lines, newest first, with revisions below `before`. */
  async audit(tenant: string, before: number | undefined, limit: number): Promise<AuditLine[]> {
    let query = this.#db.selectFrom('audit').selectAll().orderBy('revision', 'desc').limit(limit);
    if (tenant !== '') query = query.where('tenant_id', '=', tenant);
    if (before !== undefined) query = query.where('revision', '<', before);
    const records = await mapped(() => query.execute());
    return records.map(({ revision, tenant_id, changed_fields, ...line }) => ({
      ...line,
      revision: Number(revision),
      tenant: tenant_id,
      changedFields: changed_fields,
    }));
  }

  #read<T>(work: (tx: Transaction<Tables>) => Promise<T>): Promise<T> {
    return mapped(() =>
      this.#db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(work),
    );
  }
}

async function revisionOf(tx: Kysely<Tables>): Promise<number> {
  return Number((await tx.selectFrom('registry').select('revision').executeTakeFirstOrThrow()).revision);
}

async function selectRows(
  tx: Kysely<Tables>,
  { spec, tenant = '', after, limit }: Partial<ListQuery> & Pick<ListQuery, 'spec'>,
): Promise<Stored[]> {
  // A platform kind has nothing of any tenant's.
  if (tenant !== '' && !spec.tenantColumn) return [];
  let query = tx.selectFrom(spec.name).selectAll().orderBy('id');
  if (tenant !== '') query = query.where(spec.tenantColumn!, '=', tenant);
  if (after !== undefined) query = query.where('id', '>', after);
  if (limit !== undefined) query = query.limit(limit);
  return (await query.execute()).map((record) => toStored(spec, record as KindTable));
}
