import {
  type Backend,
  embeddedBackend,
  postgresBackend,
  type ServerBackend,
} from '../../../test/support/databases.ts';
import { MIGRATIONS } from '../src/adapters/database.ts';
import type { Tables } from '../src/adapters/tables.ts';

/** The databases the registry's contract suite runs against. */
export const embedded: Backend<Tables> = embeddedBackend(MIGRATIONS);
export const postgres = (): ServerBackend<Tables> => postgresBackend(MIGRATIONS);
