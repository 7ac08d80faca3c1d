import type { Resource } from '@callmesh/proto/tenant';
import { fail } from '@callmesh/runtime';
import { fieldsOf, type KindSpec, type Row } from './kind.ts';
import { kinds } from './kinds/index.ts';
import { requireRow } from './validate.ts';

/** A row with its bookkeeping, as the store gives it. */
export interface Stored {
  readonly spec: KindSpec;
  readonly id: string;
  readonly revision: number;
  readonly row: Row;
}

/** A checked row of a request, with the id and revision the caller gave. */
export interface Given {
  readonly spec: KindSpec;
  readonly row: Row;
  /** Empty where the caller left it to be derived. */
  readonly id: string;
  readonly revision: number;
}

/**
 * Reads a request's resource. Proto3 cannot tell "not set" from zero: a zero
 * takes the field's default. Errors: invalid_argument naming the field.
 */
export function fromResource(resource: Resource | undefined): Given {
  const value = resource?.value;
  const spec = kinds.find(({ $case }) => $case === value?.$case);
  if (!value || !spec) {
    const names = kinds.map(({ name }) => name).join(', ');
    throw fail('invalid_argument', `resource: expected one of ${names}`, { field: 'resource' });
  }
  const message = value.value as unknown as Record<string, unknown>;
  const row = requireRow(spec, fieldsFromMessage(spec, message));
  const id = spec.name === 'did' ? row.number : message.id;
  return { spec, row, id: String(id ?? ''), revision: resource.revision };
}

function fieldsFromMessage(spec: KindSpec, message: Record<string, unknown>): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const field of fieldsOf(spec)) {
    const value = message[camel(field)];
    const words = spec.enums[field];
    if (words) {
      if (!String(value).endsWith('_UNSPECIFIED')) fields[field] = words.toWord(String(value));
    } else if (value !== '' && value !== 0) {
      fields[field] = value;
    }
  }
  return fields;
}

/** A stored row as the proto's resource. */
export function toResource({ spec, row, revision }: Stored): Resource {
  const fields = Object.entries(row).map(([field, value]) => {
    const words = spec.enums[field];
    return [camel(field), words ? words.fromWord(String(value)) : value];
  });
  const message = spec.message(Object.fromEntries(fields));
  return { value: { $case: spec.$case, value: message } as Resource['value'], revision };
}

/** ts-proto's name of a field: max_cps is maxCps, ha1_md5 is ha1Md5. */
function camel(field: string): string {
  return field.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
