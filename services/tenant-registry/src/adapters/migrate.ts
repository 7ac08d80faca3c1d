import { readdirSync, readFileSync } from 'node:fs';
import { type Kysely, sql } from 'kysely';
import { type Migration, type MigrationProvider, Migrator } from 'kysely/migration';
import type { Tables } from './tables.ts';

const FOLDER = new URL('../../migrations/', import.meta.url);

/** Migrations are plain SQL files, run in order of their names, each once. */
const provider: MigrationProvider = {
  async getMigrations() {
    const files = readdirSync(FOLDER).filter((name) => name.endsWith('.sql'));
    return Object.fromEntries(files.map((name) => [name.replace(/\.sql$/, ''), migration(name)]));
  },
};

function migration(name: string): Migration {
  return {
    async up(db) {
      // One statement at a time: PGlite's prepared statements take no more.
      const statements = readFileSync(new URL(name, FOLDER), 'utf8').split(/;\s*$/m);
      for (const statement of statements)
        if (statement.replace(/^\s*--.*$/gm, '').trim()) await sql.raw(statement).execute(db);
    },
  };
}

/**
 * Brings the tables up to date and returns the names of what was run. Replicas
 * may do so at once: an advisory lock lets one do it and the others see it done.
 * `last` stops at that migration.
 */
export async function migrate(db: Kysely<Tables>, last?: string): Promise<string[]> {
  const migrator = new Migrator({ db, provider });
  const { error, results } = await (last ? migrator.migrateTo(last) : migrator.migrateToLatest());
  if (error) throw error;
  return (results ?? [])
    .filter(({ status }) => status === 'Success')
    .map(({ migrationName }) => migrationName);
}
