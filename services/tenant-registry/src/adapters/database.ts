import type { Database as Opened } from '@callmesh/runtime/sql';
import type { Tables } from './tables.ts';

/** The registry's database, on either kind of server. */
export type Database = Opened<Tables>;

/** What brings its tables up to date. */
export const MIGRATIONS = new URL('../../migrations/', import.meta.url);
