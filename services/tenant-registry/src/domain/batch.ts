import { type CallmeshError, type ErrorCode, fail } from '@callmesh/runtime';
import { fieldsOf, type KindSpec, type Row } from './kind.ts';

/** Says what is wrong with a row, in the words of whoever gave it. */
export type Report = (code: ErrorCode, field: string, message: string) => CallmeshError;

/** A row that is to be as given. */
export interface Put {
  readonly spec: KindSpec;
  /** Checked against the kind's schema. */
  readonly row: Row;
  /** What must be there before: nothing, something, or either; "skip" leaves what is there alone. */
  readonly expect: 'absent' | 'present' | 'any' | 'skip';
  /** Id the caller gave; empty or absent: derived from the row. */
  readonly id?: string;
  /** Revision the caller saw; 0 or absent: any. */
  readonly revision?: number;
  readonly report: Report;
}

/** A row that is to go. */
export interface Remove {
  readonly spec: KindSpec;
  readonly id: string;
}

/** Rows of one kind that are to be exactly those put: others go. */
export interface Scope {
  readonly spec: KindSpec;
  /** Whose; "*": the platform's. */
  readonly tenant: string;
}

/** Changes that happen together or not at all; rules are checked against the state after all of them. */
export interface Batch {
  readonly puts: readonly Put[];
  readonly removes?: readonly Remove[];
  readonly replace?: readonly Scope[];
  /** Removes take what refers to them along. */
  readonly cascade?: boolean;
}

/** One row's change, as it goes into the log. */
export interface Change {
  readonly spec: KindSpec;
  readonly id: string;
  readonly before: Row | undefined;
  readonly after: Row | undefined;
}

/** Reports by the kind's own field names: `trunk.source_addresses[1]: ...`. */
export function reportFor(spec: KindSpec): Report {
  return (code, field, message) => {
    const path = `${spec.name}.${field}`;
    return fail(code, `${path}: ${message}`, { field: path });
  };
}

/** Names of the fields two rows differ in; of a new row those that were set. */
export function changedFields(spec: KindSpec, before: Row | undefined, after: Row): string[] {
  return fieldsOf(spec).filter((field) =>
    before ? !same(before[field], after[field]) : !isEmpty(after[field]),
  );
}

function same(left: unknown, right: unknown): boolean {
  if (!Array.isArray(left) || !Array.isArray(right)) return left === right;
  return left.length === right.length && left.every((value, index) => value === right[index]);
}

function isEmpty(value: unknown): boolean {
  return value === '' || value === 0 || (Array.isArray(value) && value.length === 0);
}

export function actionOf({ before, after }: Change): 'create' | 'update' | 'delete' {
  if (!after) return 'delete';
  return before ? 'update' : 'create';
}

/** Key of a row among rows of all kinds. */
export function keyOf(kind: string, id: string): string {
  return `${kind} ${id}`;
}
