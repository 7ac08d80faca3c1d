import type { Kind, Resource } from '@callmesh/proto/tenant';
import type { z } from 'zod';
import type { EnumWords } from './enums.ts';

/** Name of a kind: its table, its field in Resource and its name in messages. */
export type KindName =
  | 'tenant'
  | 'node_group'
  | 'app_node'
  | 'tenant_app'
  | 'agent'
  | 'did'
  | 'trunk'
  | 'number_rule';

/** A resource as plain data: the proto's field names, enums as words. */
export type Row = Readonly<Record<string, unknown>>;

/** Something a row points at; it must exist and belong to the same tenant or to none. */
export interface Reference {
  readonly kind: KindName;
  readonly id: string;
  /** The field that says so. */
  readonly field: string;
}

/** Something only one row of the platform may have. */
export interface Claim {
  /** What is unique: keys of different spaces do not collide. */
  readonly space: string;
  readonly key: string;
  /** The field that says so. */
  readonly field: string;
}

/** Looks up a row that was referred to. */
export type Find = (kind: KindName, id: string) => Row | undefined;

/** A problem with a row that only shows beside the rows it refers to. */
export interface Mismatch {
  readonly field: string;
  readonly message: string;
}

/** Where a kind stands in a YAML document. */
export interface Section {
  /** Key of its list. */
  readonly key: string;
  /** The documents it may be in. */
  readonly in: readonly ('tenant' | 'platform')[];
  /** Listed under each row of another kind, which the named field then refers to. */
  readonly under?: { readonly kind: KindName; readonly field: string };
}

/** All there is to know about a kind; the rest of the registry treats kinds alike. */
export interface KindSpec<R extends Row = Row> {
  readonly name: KindName;
  readonly kind: Kind;
  readonly $case: NonNullable<Resource['value']>['$case'];
  /** What callers may set, by the proto's field names. */
  readonly schema: z.ZodObject;
  readonly enums: Readonly<Record<string, EnumWords>>;
  /** Never shown: fields that are named in audit rows and errors, but whose value is not. */
  readonly secrets: readonly string[];
  /** Fields that stay as they were created. */
  readonly immutable: readonly string[];
  /** A field that must not change while rows of another kind are built on it. */
  readonly fixedWhile?: { readonly field: string; readonly kind: KindName; readonly because: string };
  /** Its list in YAML documents; a tenant itself is a document. */
  readonly section?: Section;
  /** Column that says whose it is: "id" for tenants themselves, none for what is the platform's. */
  readonly tenantColumn?: 'id' | 'tenant_id';
  /** Builds the proto message of a row. */
  message(fields: Record<string, unknown>): NonNullable<Resource['value']>['value'];
  references(row: R): readonly Reference[];
  claims(row: R): readonly Claim[];
  /** Fills in what follows from the rows referred to, among it `id`. */
  complete(row: R, find: Find): Row;
  /** Says what does not fit the rows referred to. */
  check?(row: R, find: Find): Mismatch | undefined;
}

/** Gives a spec the type of its schema's output, then forgets it: the table holds all kinds. */
export function defineKind<S extends z.ZodObject>(
  spec: Omit<KindSpec<z.infer<S> & Row>, 'schema'> & { readonly schema: S },
): KindSpec {
  return spec as unknown as KindSpec;
}

/** Whose a completed row is; empty: the platform's. */
export function tenantOf(spec: KindSpec, row: Row): string {
  const value = spec.tenantColumn ? String(row[spec.tenantColumn]) : '';
  return value === PLATFORM ? '' : value;
}

/** Stands for the platform where a tenant is named. */
export const PLATFORM = '*';

/** All fields a row of this kind has, without bookkeeping. */
export function fieldsOf(spec: KindSpec): string[] {
  return Object.keys(spec.schema.shape);
}
