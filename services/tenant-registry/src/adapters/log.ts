import { type Kysely, sql } from 'kysely';
import { actionOf, type Change, changedFields } from '../domain/batch.ts';
import { tenantOf } from '../domain/kind.ts';
import { chunks } from './rows.ts';
import type { Tables } from './tables.ts';

/** Channel on which PostgreSQL tells the other replicas, at commit. */
export const CHANNEL = 'callmesh_tenant_registry';

export interface RecordOptions {
  /** Revision of the first change. */
  readonly first: number;
  readonly actor: string;
  /** How many changes the log keeps for watchers that come back. */
  readonly keepChanges: number;
  readonly floor: number;
}

/**
 * Writes a batch's changes into the change log and the audit, moves the
 * registry's revision, and returns it. Each change has a revision of its own, so
 * that a watcher cut off in the middle of a batch can go on where it was.
 */
export async function record(
  tx: Kysely<Tables>,
  changes: readonly Change[],
  { first, actor, keepChanges, floor }: RecordOptions,
): Promise<number> {
  const revision = first + changes.length - 1;
  if (!changes.length) return revision;
  const entries = changes.map((change, index) => entryOf(change, first + index, actor));
  for (const part of chunks(entries)) {
    await tx
      .insertInto('change')
      .values(part.map(({ change }) => change))
      .execute();
    await tx
      .insertInto('audit')
      .values(part.map(({ audit }) => audit))
      .execute();
  }
  const kept = Math.max(floor, revision - keepChanges);
  if (kept > floor) await tx.deleteFrom('change').where('revision', '<=', kept).execute();
  await tx.updateTable('registry').set({ revision, floor: kept }).execute();
  await sql`select pg_notify(${CHANNEL}, ${String(revision)})`.execute(tx);
  return revision;
}

function entryOf(change: Change, revision: number, actor: string) {
  const { spec, id, before, after } = change;
  const common = { revision, kind: spec.name, id, tenant_id: tenantOf(spec, (after ?? before)!) };
  return {
    change: { ...common, row: after ? JSON.stringify(after) : null },
    audit: {
      ...common,
      actor,
      action: actionOf(change),
      changed_fields: after ? changedFields(spec, before, after) : [],
    },
  };
}
