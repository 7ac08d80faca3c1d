import { migrate, openEmbedded, openPostgres } from '@callmesh/runtime/sql';
import { postgresBinaries, startPostgres, type TestPostgres } from '../../../test/support/postgres.ts';
import { type Database, MIGRATIONS } from '../src/adapters/database.ts';
import type { Tables } from '../src/adapters/tables.ts';

/** A kind of database the contract suite runs against. */
export interface Backend {
  readonly name: string;
  /** False where this machine has no such database. */
  readonly available: boolean;
  start(): Promise<void>;
  /** A database with tables and no rows. */
  open(): Promise<Database>;
  stop(): Promise<void>;
}

export const embedded: Backend = {
  name: 'embedded PGlite',
  available: true,
  start: async () => {},
  async open() {
    const database = await openEmbedded<Tables>(undefined);
    await migrate(database.db, MIGRATIONS);
    return database;
  },
  stop: async () => {},
};

/** A PostgreSQL server, which can be killed and started again, frozen and thawed. */
export interface ServerBackend extends Backend {
  kill(): Promise<void>;
  restart(): Promise<void>;
  freeze(): void;
  resume(): void;
}

export function postgres(): ServerBackend {
  let server: TestPostgres | undefined;
  let count = 0;
  return {
    name: 'PostgreSQL',
    available: postgresBinaries() !== undefined,
    async start() {
      server = await startPostgres();
    },
    async open() {
      count += 1;
      const database = openPostgres<Tables>(server!.createDatabase(`test_${count}`), 4);
      await migrate(database.db, MIGRATIONS);
      return database;
    },
    stop: async () => server?.stop(),
    kill: async () => server?.kill(),
    restart: async () => server?.start(),
    freeze: () => server?.freeze(),
    resume: () => server?.resume(),
  };
}
