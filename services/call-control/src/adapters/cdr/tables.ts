import type { Database as Opened } from '@callmesh/runtime/sql';
import { CamelCasePlugin, type Kysely } from 'kysely';
import type { Leg } from '../../domain/cdr/leg.ts';
import type { Refusal } from '../../domain/cdr/refusal.ts';
import type { Session } from '../../domain/cdr/session.ts';

/** All tables; see migrations/. Columns are these names in snake_case. */
export interface Tables {
  leg: Leg;
  session: Session;
  refusal: Refusal;
}

export type Database = Opened<Tables>;

/** What brings the tables up to date. */
export const MIGRATIONS = new URL('../../../migrations/', import.meta.url);

/** The database with columns named as in code. */
export function named(db: Kysely<Tables>): Kysely<Tables> {
  return db.withPlugin(new CamelCasePlugin());
}
