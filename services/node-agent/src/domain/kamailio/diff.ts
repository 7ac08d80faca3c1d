import type { Table } from './tables.ts';

/** One change of one entry. */
export type Change =
  | { readonly op: 'set'; readonly key: string; readonly value: string | number }
  | { readonly op: 'delete'; readonly key: string };

/** The entry that says how many there are, where a table has one. */
const COUNT = 'count';

/**
 * What makes `loaded` into `desired`, in an order that is right at every step:
 * entries are written before a growing count says so, a shrinking count before
 * what it no longer covers is removed.
 */
export function tableChanges(loaded: Table, desired: Table): Change[] {
  const sets = [...desired]
    .filter(([key, value]) => loaded.get(key) !== value)
    .map(([key, value]): Change => ({ op: 'set', key, value }));
  const deletes = [...loaded.keys()]
    .filter((key) => !desired.has(key))
    .map((key): Change => ({ op: 'delete', key }));
  const count = sets.filter(({ key }) => key === COUNT);
  const entries = sets.filter(({ key }) => key !== COUNT);
  const shrinks = Number(desired.get(COUNT) ?? 0) < Number(loaded.get(COUNT) ?? 0);
  return shrinks ? [...count, ...entries, ...deletes] : [...entries, ...count, ...deletes];
}
