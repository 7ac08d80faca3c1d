import { fail } from '@callmesh/runtime';
import { type Kysely, sql } from 'kysely';
import { type Batch, type Change, changedFields, keyOf, type Remove } from '../domain/batch.ts';
import { PLATFORM, tenantOf } from '../domain/kind.ts';
import { kinds, specOf } from '../domain/kinds/index.ts';
import type { Stored } from '../domain/resource.ts';
import { relink } from './links.ts';
import { record } from './log.ts';
import { type Completed, idField, resolve } from './resolve.ts';
import { anyOf, deleteRows, loadRows, pairs, upsertRows } from './rows.ts';
import type { Tables } from './tables.ts';

/** What a batch did. */
export interface Outcome {
  /** In the order they happened; rows that were already as given are not among them. */
  readonly changes: readonly Change[];
  /** Revision of the registry after it. */
  readonly revision: number;
  /** The rows put, as stored, by keyOf. */
  readonly stored: ReadonlyMap<string, Stored>;
}

/**
 * Applies a batch inside the caller's transaction. Writers take turns: the
 * registry's row is locked first, so what is checked stays true until commit and
 * revisions become visible in their order.
 */
export async function applyBatch(
  tx: Kysely<Tables>,
  batch: Batch,
  actor: string,
  keepChanges: number,
): Promise<Outcome> {
  const before = await tx.selectFrom('registry').selectAll().forUpdate().executeTakeFirstOrThrow();
  const completed = await resolve(tx, batch);
  const current = await loadRows(
    tx,
    [...completed.values()].map(({ spec, id }) => ({ kind: spec.name, id })),
  );
  const removes = await removalsOf(tx, batch, completed);
  const puts = [...completed.values()].flatMap((one) =>
    changeOf(one, current.get(keyOf(one.spec.name, one.id))),
  );
  await checkFixed(tx, puts, removes, completed);
  // What goes makes room first, what comes finds what it refers to.
  const changes = [...removes, ...puts];
  if (changes.length) await relink(tx, changes, completed);
  const first = Number(before.revision) + 1;
  await writeRows(tx, changes, first);
  const revision = await record(tx, changes, { first, actor, keepChanges, floor: Number(before.floor) });
  const stored = new Map(current);
  changes.forEach(({ spec, id, after }, index) => {
    if (after) stored.set(keyOf(spec.name, id), { spec, id, revision: first + index, row: after });
  });
  return { changes, revision, stored };
}

/** The change a put is, if it is one. */
function changeOf({ put, spec, id, row }: Completed, current: Stored | undefined): Change[] {
  if (!current) {
    if (put.expect === 'present')
      throw fail('not_found', `there is no ${spec.name} ${put.id || id}`, { field: 'id' });
    return [{ spec, id, before: undefined, after: row }];
  }
  if (put.expect === 'skip') return [];
  const own = tenantOf(spec, current.row) === tenantOf(spec, row);
  if (put.expect === 'absent' || !own) {
    const where = own ? 'exists already' : 'is already used by another tenant';
    throw put.report('already_exists', idField(spec), `${id} ${where}`);
  }
  if (put.revision && put.revision !== current.revision)
    throw put.report('conflict', 'revision', `${id} is at revision ${current.revision}, not ${put.revision}`);
  const fixed = spec.immutable.find((field) => current.row[field] !== row[field]);
  if (fixed !== undefined)
    throw put.report('precondition_failed', fixed, `never changes; it is ${String(current.row[fixed])}`);
  const changed = changedFields(spec, current.row, row).length > 0;
  return changed ? [{ spec, id, before: current.row, after: row }] : [];
}

/** Every row that goes: those named, what refers to them where that is wanted, and what a scope leaves out. */
async function removalsOf(
  tx: Kysely<Tables>,
  batch: Batch,
  completed: ReadonlyMap<string, Completed>,
): Promise<Change[]> {
  const removes = new Map<string, Remove>();
  for (const remove of batch.removes ?? []) removes.set(keyOf(remove.spec.name, remove.id), remove);
  for (const { spec, tenant } of batch.replace ?? []) {
    let query = tx.selectFrom(spec.name).select('id');
    if (spec.tenantColumn) query = query.where(spec.tenantColumn, '=', tenant);
    else if (tenant !== PLATFORM) continue;
    for (const { id } of await query.execute())
      if (!completed.has(keyOf(spec.name, id))) removes.set(keyOf(spec.name, id), { spec, id });
  }
  if (batch.cascade) await addReferrers(tx, removes);
  const rows = await loadRows(
    tx,
    [...removes.values()].map(({ spec, id }) => ({ kind: spec.name, id })),
  );
  const changes = [...removes].map(([key, { spec, id }]): Change => {
    const row = rows.get(key)?.row;
    if (!row) throw fail('not_found', `there is no ${spec.name} ${id}`, { field: 'id' });
    return { spec, id, before: row, after: undefined };
  });
  return changes.sort((a, b) => kinds.indexOf(b.spec) - kinds.indexOf(a.spec));
}

async function addReferrers(tx: Kysely<Tables>, removes: Map<string, Remove>): Promise<void> {
  let frontier = [...removes.values()];
  while (frontier.length) {
    const names = frontier.map(({ spec }) => spec.name);
    const ids = frontier.map(({ id }) => id);
    const referrers = await tx
      .selectFrom('reference')
      .select(['kind', 'id'])
      .distinct()
      .where(sql<boolean>`(to_kind, to_id) in ${pairs(names, ids)}`)
      .execute();
    frontier = referrers
      .filter(({ kind, id }) => !removes.has(keyOf(kind, id)))
      .map(({ kind, id }) => ({ spec: specOf(kind), id }));
    for (const remove of frontier) removes.set(keyOf(remove.spec.name, remove.id), remove);
  }
}

/** A field others are built on may change only together with all of them. */
async function checkFixed(
  tx: Kysely<Tables>,
  puts: readonly Change[],
  removes: readonly Change[],
  completed: ReadonlyMap<string, Completed>,
): Promise<void> {
  const gone = removes.map(({ id }) => id);
  for (const { spec, id, before, after } of puts) {
    const rule = spec.fixedWhile;
    if (!rule || !before || before[rule.field] === after?.[rule.field]) continue;
    const left = await tx
      .selectFrom(rule.kind)
      .select('id')
      .where('tenant_id', '=', id)
      .where(({ not, eb }) => not(eb('id', '=', anyOf(gone))))
      .limit(1)
      .executeTakeFirst();
    const { report } = completed.get(keyOf(spec.name, id))!.put;
    if (left) throw report('precondition_failed', rule.field, `cannot change: ${rule.because}`);
  }
}

async function writeRows(tx: Kysely<Tables>, changes: readonly Change[], first: number): Promise<void> {
  const numbered = changes.map((change, index) => ({ ...change, revision: first + index }));
  for (const [spec, list] of Map.groupBy(numbered, ({ spec }) => spec)) {
    const gone = list.filter(({ after }) => !after).map(({ id }) => id);
    const put = list.flatMap(({ after, revision }) => (after ? [{ row: after, revision }] : []));
    if (gone.length) await deleteRows(tx, spec.name, gone);
    await upsertRows(tx, spec, put);
  }
}
