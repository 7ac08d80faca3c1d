import { mkdirSync } from 'node:fs';
import type { PGlite } from '@electric-sql/pglite';
import { Kysely, PGliteDialect, PostgresDialect } from 'kysely';
import pg from 'pg';
import { lockFolder } from './folder-lock.ts';
import type { Tables } from './tables.ts';

/** An open database; both kinds speak the same SQL. */
export interface Database {
  readonly db: Kysely<Tables>;
  /** Where other replicas' changes are heard; absent where there can be none. */
  readonly listen?: { readonly url: string };
  close(): Promise<void>;
}

/** Answers are wanted in time or not at all: callers wait two seconds. */
const CONNECT_MS = 2_000;
const STATEMENT_MS = 30_000;

/** PostgreSQL at a URL; connections are made when they are needed. */
export function openPostgres(url: string, poolSize: number): Database {
  const pool = new pg.Pool({
    connectionString: url,
    max: poolSize,
    connectionTimeoutMillis: CONNECT_MS,
    statement_timeout: STATEMENT_MS,
    query_timeout: STATEMENT_MS + 1_000,
    idle_in_transaction_session_timeout: STATEMENT_MS,
    keepAlive: true,
    application_name: 'callmesh-tenant-registry',
  });
  // A connection may break between two statements: without a listener that would end the process.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  return { db, listen: { url }, close: () => db.destroy() };
}

/**
 * PostgreSQL inside this process, its files in `dir` or, without one, in memory.
 * Errors: precondition_failed when another process has the folder open.
 */
export async function openEmbedded(dir: string | undefined): Promise<Database> {
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
  const db = new Kysely<Tables>({ dialect: new PGliteDialect({ pglite }) });
  return {
    db,
    async close() {
      await db.destroy();
      if (!pglite.closed) await pglite.close();
      unlock();
    },
  };
}
