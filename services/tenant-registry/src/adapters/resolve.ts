import type { Kysely } from 'kysely';
import { type Batch, keyOf, type Put } from '../domain/batch.ts';
import { type Find, type KindSpec, type Reference, type Row, tenantOf } from '../domain/kind.ts';
import { kinds, specOf } from '../domain/kinds/index.ts';
import { loadRows } from './rows.ts';
import type { Tables } from './tables.ts';

/** A put whose row is complete: what follows from the rows it refers to is filled in. */
export interface Completed {
  readonly put: Put;
  readonly spec: KindSpec;
  readonly id: string;
  readonly row: Row;
}

/**
 * Completes a batch's rows, kind by kind, so that a row may refer to one of the
 * same batch. Errors: precondition_failed for a reference to nothing, already_exists
 * for two rows with one id, invalid_argument for an id that cannot be the row's.
 */
export async function resolve(tx: Kysely<Tables>, batch: Batch): Promise<Map<string, Completed>> {
  const completed = new Map<string, Completed>();
  const stored = new Map<string, Row>();
  const removed = new Set(batch.removes?.map(({ spec, id }) => keyOf(spec.name, id)));
  const find: Find = (kind, id) => {
    const key = keyOf(kind, id);
    return completed.get(key)?.row ?? (removed.has(key) ? undefined : stored.get(key));
  };
  for (const spec of kinds) {
    const puts = batch.puts.filter((put) => put.spec === spec);
    const references = puts.flatMap(({ row }) => spec.references(row));
    const wanted = references.filter(({ kind, id }) => !find(kind, id));
    for (const [key, { row }] of await loadRows(tx, wanted)) stored.set(key, row);
    for (const put of puts) {
      const one = complete(put, find);
      const key = keyOf(spec.name, one.id);
      if (completed.has(key)) throw put.report('already_exists', idField(spec), `${one.id} is there twice`);
      completed.set(key, one);
    }
  }
  return completed;
}

function complete(put: Put, find: Find): Completed {
  const { spec, row, report } = put;
  for (const reference of spec.references(row)) {
    if (!reachable(row, reference, find))
      throw report('precondition_failed', reference.field, `there is no ${reference.kind} ${reference.id}`);
  }
  const mismatch = spec.check?.(row, find);
  if (mismatch) throw report('precondition_failed', mismatch.field, mismatch.message);
  const full = spec.complete(row, find);
  const id = String(full.id);
  if (put.expect === 'present' && put.id && put.id !== id)
    throw report(
      'invalid_argument',
      idField(spec),
      `the fields that make the id never change; expected ${id}`,
    );
  return { put, spec, id, row: full };
}

/** Another tenant's rows do not exist for this one. */
function reachable(row: Row, { kind, id }: Reference, find: Find): boolean {
  const target = find(kind, id);
  if (!target) return false;
  const owner = tenantOf(specOf(kind), target);
  return owner === '' || row.tenant_id === undefined || owner === row.tenant_id;
}

/** The field to blame for an id: the id itself where callers give it, else the last that makes it. */
export function idField(spec: KindSpec): string {
  if ('id' in spec.schema.shape) return 'id';
  return { agent: 'username', did: 'number', number_rule: 'position' }[spec.name as string] ?? 'function';
}
