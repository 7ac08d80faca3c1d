import { type Kysely, sql } from 'kysely';
import type { Tables } from './tables.ts';

/** 64-bit columns, which pg gives as text. */
const WIDE = ['packets', 'lost', 'packetsSent', 'talkMs'];

/** A row as read, with its numbers as numbers. */
export function read<T extends object>(row: T): T {
  const wide = Object.entries(row).filter(
    ([name, value]) => WIDE.includes(name) && typeof value === 'string',
  );
  return { ...row, ...Object.fromEntries(wide.map(([name, value]) => [name, Number(value)])) };
}

/**
 * Puts whole rows, new or in place of those with the same key. They travel as one
 * parameter: thousands of them would cost more than what is done with them.
 */
export async function putRows<T extends keyof Tables & string>(
  db: Kysely<Tables>,
  table: T,
  key: readonly (keyof Tables[T] & string)[],
  rows: readonly Tables[T][],
): Promise<void> {
  const [first] = rows;
  if (!first) return;
  const rest = Object.keys(first).filter((field) => !(key as readonly string[]).includes(field));
  const changes = rest.map((field) => sql`${sql.ref(field)} = excluded.${sql.ref(field)}`);
  await sql`
    insert into ${sql.table(table)}
    select * from json_populate_recordset(null::${sql.table(table)}, ${json(rows)}::json)
    on conflict (${sql.join(key.map((field) => sql.ref(field)))}) do update set ${sql.join(changes)}
  `.execute(db);
}

/** Puts rows that are not there yet; how many there were. */
export async function addRows<T extends keyof Tables & string>(
  db: Kysely<Tables>,
  table: T,
  rows: readonly Tables[T][],
): Promise<number> {
  const { numAffectedRows } = await sql`
    insert into ${sql.table(table)}
    select * from json_populate_recordset(null::${sql.table(table)}, ${json(rows)}::json)
    on conflict do nothing
  `.execute(db);
  return Number(numAffectedRows ?? 0);
}

/** Rows as JSON, under the names of their columns. */
function json<T extends object>(rows: readonly T[]): string {
  const columns = Object.keys(rows[0] ?? {}).map((field) => [field as keyof T, snake(field)] as const);
  return JSON.stringify(
    rows.map((row) => Object.fromEntries(columns.map(([field, column]) => [column, row[field]]))),
  );
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
