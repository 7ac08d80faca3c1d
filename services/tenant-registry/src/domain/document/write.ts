import { stringify } from 'yaml';
import { fieldsOf, type KindSpec, PLATFORM, type Row } from '../kind.ts';
import { kinds } from '../kinds/index.ts';
import type { Stored } from '../resource.ts';

/**
 * A tenant's rows, or with "*" the platform's, as a YAML document that reads back
 * as the same rows. What has its default value is left out.
 */
export function writeDocument(tenant: string, rows: readonly Stored[]): string {
  const type = tenant === PLATFORM ? 'platform' : 'tenant';
  const document: Record<string, unknown> = {};
  for (const spec of kinds) {
    const { section } = spec;
    const own = rows.filter((stored) => stored.spec === spec);
    if (spec.name === 'tenant') {
      if (type === 'tenant') document.tenant = own[0] && fieldsToWrite(spec, own[0].row, []);
    } else if (section?.in.includes(type) && !section.under) {
      const list = own.map((stored) => withNested(stored, rows));
      // An empty list says "none"; the platform's lists that are left out are not touched on import.
      if (list.length || type === 'platform') document[section.key] = list;
    }
  }
  return HEADER[type] + stringify(document, { lineWidth: 0 });
}

const HEADER = {
  tenant: '# A tenant of callmesh. It contains digest hashes: keep it as you would keep passwords.\n',
  platform: '# Node groups, nodes and links of the callmesh platform.\n',
} as const;

function withNested({ spec, id, row }: Stored, rows: readonly Stored[]): Row {
  const fields = fieldsToWrite(spec, row, spec.tenantColumn ? ['tenant_id'] : []);
  for (const child of kinds) {
    const under = child.section?.under;
    if (under?.kind !== spec.name) continue;
    const own = rows.filter((stored) => stored.spec === child && stored.row[under.field] === id);
    const list = own.map((stored) => fieldsToWrite(child, stored.row, [under.field]));
    if (list.length) fields[child.section!.key] = list.sort(byPosition);
  }
  return fields;
}

function byPosition(left: Row, right: Row): number {
  return Number(left.position ?? 0) - Number(right.position ?? 0);
}

function fieldsToWrite(spec: KindSpec, row: Row, implied: readonly string[]): Record<string, unknown> {
  const fields = fieldsOf(spec).filter(
    (field) => !implied.includes(field) && !isDefault(spec, field, row[field]),
  );
  return Object.fromEntries(fields.map((field) => [field, row[field]]));
}

function isDefault(spec: KindSpec, field: string, value: unknown): boolean {
  const fallback = spec.schema.shape[field]!.safeParse(undefined);
  return fallback.success && JSON.stringify(fallback.data) === JSON.stringify(value);
}
