import type { Generated } from 'kysely';
import type { KindName, Row } from '../domain/kind.ts';

/** Columns of the kinds' tables that all have; the others are the kind's fields. */
export interface KindTable {
  id: string;
  revision: number | string;
  [field: string]: unknown;
}

interface Bookkeeping {
  registry: { only_one: Generated<boolean>; revision: number | string; floor: number | string };
  claim: { space: string; key: string; kind: KindName; id: string; field: string; tenant_id: string };
  reference: { kind: KindName; id: string; field: string; to_kind: KindName; to_id: string };
  change: {
    revision: number | string;
    kind: KindName;
    id: string;
    tenant_id: string;
    /** Written as JSON text, read as the row. */
    row: Row | string | null;
  };
  audit: {
    revision: number | string;
    at: Generated<Date>;
    actor: string;
    action: string;
    kind: KindName;
    id: string;
    tenant_id: string;
    changed_fields: string[];
  };
}

/** All tables; see migrations/. */
export type Tables = Bookkeeping & Record<KindName, KindTable>;
