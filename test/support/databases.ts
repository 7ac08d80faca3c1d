import { type Database, migrate, openEmbedded, openPostgres } from '@callmesh/runtime/sql';
import { postgresBinaries, startPostgres, type TestPostgres } from './postgres.ts';

/** A kind of database a contract suite runs against. */
export interface Backend<T> {
  readonly name: string;
  /** False where this machine has no such database. */
  readonly available: boolean;
  start(): Promise<void>;
  /** A database with tables and no rows. */
  open(): Promise<Database<T>>;
  stop(): Promise<void>;
}

/** A PostgreSQL server, which can be killed and started again, frozen and thawed. */
export interface ServerBackend<T> extends Backend<T> {
  kill(): Promise<void>;
  restart(): Promise<void>;
  freeze(): void;
  resume(): void;
}

export function embeddedBackend<T>(migrations: URL): Backend<T> {
  return {
    name: 'embedded PGlite',
    available: true,
    start: async () => {},
    async open() {
      const database = await openEmbedded<T>(undefined);
      await migrate(database.db, migrations);
      return database;
    },
    stop: async () => {},
  };
}

export function postgresBackend<T>(migrations: URL): ServerBackend<T> {
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
      const database = openPostgres<T>(server!.createDatabase(`test_${count}`), 4);
      await migrate(database.db, migrations);
      return database;
    },
    stop: async () => server?.stop(),
    kill: async () => server?.kill(),
    restart: async () => server?.start(),
    freeze: () => server?.freeze(),
    resume: () => server?.resume(),
  };
}
