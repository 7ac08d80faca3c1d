import { type Kysely, sql } from 'kysely';
import { keyOf } from '../domain/batch.ts';
import { fieldsOf, type KindName, type KindSpec, type Row } from '../domain/kind.ts';
import { specOf } from '../domain/kinds/index.ts';
import type { Stored } from '../domain/resource.ts';
import type { KindTable, Tables } from './tables.ts';

/** Rows written by one statement: PostgreSQL takes 65,535 parameters. */
const CHUNK = 500;

export function* chunks<T>(list: readonly T[], size = CHUNK): Generator<T[]> {
  for (let start = 0; start < list.length; start += size) yield list.slice(start, start + size);
}

/** Columns of a kind: its fields, its id, and whose it is where no field says so. */
function columnsOf(spec: KindSpec): string[] {
  return [...new Set(['id', ...(spec.tenantColumn ? [spec.tenantColumn] : []), ...fieldsOf(spec)])];
}

export function toStored(spec: KindSpec, record: KindTable): Stored {
  const row: Record<string, unknown> = {};
  for (const column of columnsOf(spec)) row[column] = record[column];
  return { spec, id: record.id, revision: Number(record.revision), row };
}

/** The rows with these ids, by keyOf. */
export async function loadRows(
  db: Kysely<Tables>,
  wanted: readonly { readonly kind: KindName; readonly id: string }[],
): Promise<Map<string, Stored>> {
  const found = new Map<string, Stored>();
  for (const [kind, list] of Map.groupBy(wanted, ({ kind }) => kind)) {
    const ids = [...new Set(list.map(({ id }) => id))];
    const records = await db.selectFrom(kind).selectAll().where('id', '=', anyOf(ids)).execute();
    for (const record of records as KindTable[])
      found.set(keyOf(kind, record.id), toStored(specOf(kind), record));
  }
  return found;
}

/** The right side of `column = any(...)`: one parameter, however many values. */
export function anyOf(values: readonly string[]) {
  return sql<string>`any(${[...values]}::text[])`;
}

/** Pairs of values as rows: `(a, b) in (select ...)`, two parameters however many pairs. */
export function pairs(left: readonly string[], right: readonly string[]) {
  return sql`(select * from unnest(${[...left]}::text[], ${[...right]}::text[]))`;
}

export async function upsertRows(
  db: Kysely<Tables>,
  spec: KindSpec,
  rows: readonly { readonly row: Row; readonly revision: number }[],
): Promise<void> {
  const columns = [...columnsOf(spec), 'revision'];
  for (const part of chunks(rows)) {
    const values = part.map(({ row, revision }) => ({ ...row, revision }) as unknown as KindTable);
    await db
      .insertInto(spec.name)
      .values(values)
      .onConflict((conflict) =>
        conflict
          .column('id')
          .doUpdateSet(Object.fromEntries(columns.map((column) => [column, sql.ref(`excluded.${column}`)]))),
      )
      .execute();
  }
}

export async function deleteRows(db: Kysely<Tables>, kind: KindName, ids: readonly string[]): Promise<void> {
  await db.deleteFrom(kind).where('id', '=', anyOf(ids)).execute();
}
