import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { PGlite } from '@electric-sql/pglite';
import { Kysely, PGliteDialect, PostgresDialect } from 'kysely';
import pg from 'pg';
import { z } from 'zod';
import type { App } from '../service.ts';
import { lockFolder } from './folder-lock.ts';

/** An open database; both kinds speak the same SQL. */
export interface Database<T> {
  readonly db: Kysely<T>;
  /** Where other replicas' changes are heard; absent where there can be none. */
  readonly listen?: { readonly url: string };
  close(): Promise<void>;
}

/** Keys of the config of a service that has a database. */
export const databaseConfig = {
  /** PostgreSQL; without it a database is embedded, for one replica only. */
  database: z
    .strictObject({
      url: z
        .string()
        .regex(/^postgres(ql)?:\/\//, 'expected a URL such as postgres://user:password@host:5432/callmesh'),
      /** Most connections of this instance, beside one that listens. */
      pool_size: z.int().min(1).max(100).default(10),
    })
    .optional(),
  /** The embedded database: kept in state_dir, or in memory only. */
  embedded: z.strictObject({ storage: z.enum(['disk', 'memory']).default('disk') }).prefault({}),
} as const;

type DatabaseConfig = z.infer<z.ZodObject<typeof databaseConfig>>;

/** The database the config names. Errors: precondition_failed when another process has the embedded one open. */
export async function openDatabase<T>(
  app: App,
  { database, embedded }: DatabaseConfig,
): Promise<Database<T>> {
  if (database) return openPostgres(database.url, database.pool_size, `callmesh-${app.name}`);
  return openEmbedded(embedded.storage === 'disk' ? join(app.config.state_dir, 'database') : undefined);
}

/** Answers are wanted in time or not at all: callers wait two seconds. */
const CONNECT_MS = 2_000;
const STATEMENT_MS = 30_000;

/** PostgreSQL at a URL; connections are made when they are needed, and say `name` there. */
export function openPostgres<T>(url: string, poolSize: number, name = 'callmesh'): Database<T> {
  const pool = new pg.Pool({
    connectionString: url,
    max: poolSize,
    connectionTimeoutMillis: CONNECT_MS,
    statement_timeout: STATEMENT_MS,
    query_timeout: STATEMENT_MS + 1_000,
    idle_in_transaction_session_timeout: STATEMENT_MS,
    keepAlive: true,
    application_name: name,
  });
  // A connection may break between two statements: without a listener that would end the process.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  const db = new Kysely<T>({ dialect: new PostgresDialect({ pool }) });
  return { db, listen: { url }, close: () => db.destroy() };
}

/**
 * PostgreSQL inside this process, its files in `dir` or, without one, in memory.
 * Errors: precondition_failed when another process has the folder open.
 */
export async function openEmbedded<T>(dir: string | undefined): Promise<Database<T>> {
  if (dir !== undefined) mkdirSync(dir, { recursive: true });
  const unlock = dir === undefined ? () => {} : lockFolder(dir);
  let pglite: PGlite;
  try {
    // 15 MB of WebAssembly that installations with a database of their own never load.
    const module = await import('@electric-sql/pglite');
    pglite = await module.PGlite.create(dir === undefined ? {} : { dataDir: `${dir}/data` });
  } catch (error) {
    unlock();
    throw error;
  }
  const db = new Kysely<T>({ dialect: new PGliteDialect({ pglite }) });
  return {
    db,
    async close() {
      await db.destroy();
      if (!pglite.closed) await pglite.close();
      unlock();
    },
  };
}
