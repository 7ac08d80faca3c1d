import { fail } from '@callmesh/runtime';
import { type Kysely, sql } from 'kysely';
import { type Change, keyOf } from '../domain/batch.ts';
import { tenantOf } from '../domain/kind.ts';
import type { Completed } from './resolve.ts';
import { chunks, pairs } from './rows.ts';
import type { Tables } from './tables.ts';

/**
 * Brings claims and references in line with a batch's changes, and checks the
 * state after all of them. Hits are looked for in full before one is picked: told
 * that one is enough, the planner expects to meet it early, and compares every row
 * with every pair when there is none. Errors: already_exists for a claim another row has,
 * precondition_failed when something still refers to a removed row.
 */
export async function relink(
  tx: Kysely<Tables>,
  changes: readonly Change[],
  completed: ReadonlyMap<string, Completed>,
): Promise<void> {
  const kindsOf = changes.map(({ spec }) => spec.name);
  const ids = changes.map(({ id }) => id);
  for (const table of ['claim', 'reference'] as const)
    await tx
      .deleteFrom(table)
      .where(sql<boolean>`(kind, id) in ${pairs(kindsOf, ids)}`)
      .execute();
  const put = changes
    .filter(({ after }) => after)
    .map(({ spec, id }) => completed.get(keyOf(spec.name, id))!);
  await addReferences(tx, put);
  await checkRemoved(tx, changes, completed);
  await addClaims(tx, put);
}

async function addReferences(tx: Kysely<Tables>, put: readonly Completed[]): Promise<void> {
  const references = put.flatMap(({ spec, id, row }) =>
    spec.references(row).map((to) => ({
      kind: spec.name,
      id,
      field: to.field,
      to_kind: to.kind,
      to_id: to.id,
    })),
  );
  for (const part of chunks(references)) await tx.insertInto('reference').values(part).execute();
}

async function checkRemoved(
  tx: Kysely<Tables>,
  changes: readonly Change[],
  completed: ReadonlyMap<string, Completed>,
): Promise<void> {
  const removed = changes.filter(({ after }) => !after);
  if (!removed.length) return;
  const kindsOf = removed.map(({ spec }) => spec.name);
  const ids = removed.map(({ id }) => id);
  const left = await tx
    .with(
      (cte) => cte('hit').materialized(),
      (db) =>
        db
          .selectFrom('reference')
          .selectAll()
          .where(sql<boolean>`(to_kind, to_id) in ${pairs(kindsOf, ids)}`),
    )
    .selectFrom('hit')
    .selectAll()
    .orderBy('kind')
    .orderBy('id')
    .limit(1)
    .executeTakeFirst();
  if (!left) return;
  const by = completed.get(keyOf(left.kind, left.id));
  if (by) throw by.put.report('precondition_failed', left.field, `there is no ${left.to_kind} ${left.to_id}`);
  throw fail(
    'precondition_failed',
    `id: ${left.to_kind} ${left.to_id} is referred to by ${left.kind} ${left.id} (${left.field})`,
    { field: 'id' },
  );
}

async function addClaims(tx: Kysely<Tables>, put: readonly Completed[]): Promise<void> {
  const mine = new Map<string, { readonly by: Completed; readonly field: string }>();
  const rows: Tables['claim'][] = [];
  for (const by of put) {
    for (const { space, key, field } of by.spec.claims(by.row)) {
      const other = mine.get(keyOf(space, key));
      if (other)
        throw by.put.report('already_exists', field, `${key} is already used by ${nameOf(other.by)}`);
      mine.set(keyOf(space, key), { by, field });
      const tenant_id = tenantOf(by.spec, by.row);
      rows.push({ space, key, kind: by.spec.name, id: by.id, field, tenant_id });
    }
  }
  const spaces = rows.map(({ space }) => space);
  const keys = rows.map(({ key }) => key);
  const taken = await tx
    .with(
      (cte) => cte('hit').materialized(),
      (db) =>
        db
          .selectFrom('claim')
          .selectAll()
          .where(sql<boolean>`(space, key) in ${pairs(spaces, keys)}`),
    )
    .selectFrom('hit')
    .selectAll()
    .limit(1)
    .executeTakeFirst();
  if (taken) {
    const { by, field } = mine.get(keyOf(taken.space, taken.key))!;
    // Whoever may change one tenant is not told another's names.
    const own = taken.tenant_id === tenantOf(by.spec, by.row);
    const holder = own ? `${taken.kind} ${taken.id}` : `another tenant's ${taken.kind}`;
    throw by.put.report('already_exists', field, `${taken.key} is already used by ${holder}`);
  }
  for (const part of chunks(rows)) await tx.insertInto('claim').values(part).execute();
}

function nameOf({ spec, id }: Completed): string {
  return `${spec.name} ${id}`;
}
