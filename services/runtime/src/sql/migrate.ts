import { readdirSync, readFileSync } from 'node:fs';
import { type Kysely, sql } from 'kysely';
import { type Migration, type MigrationProvider, Migrator } from 'kysely/migration';

/** Migrations are plain SQL files, run in order of their names, each once. */
function provider(folder: URL): MigrationProvider {
  return {
    async getMigrations() {
      const files = readdirSync(folder).filter((name) => name.endsWith('.sql'));
      return Object.fromEntries(
        files.map((name) => [name.replace(/\.sql$/, ''), migration(new URL(name, folder))]),
      );
    },
  };
}

function migration(file: URL): Migration {
  return {
    async up(db) {
      // One statement at a time: PGlite's prepared statements take no more.
      const statements = readFileSync(file, 'utf8').split(/;\s*$/m);
      for (const statement of statements)
        if (statement.replace(/^\s*--.*$/gm, '').trim()) await sql.raw(statement).execute(db);
    },
  };
}

/**
 * Brings the tables up to date with a folder of migrations and returns the names of
 * what was run. Replicas may do so at once: an advisory lock lets one do it and the
 * others see it done. `last` stops at that migration.
 */
export async function migrate<T>(db: Kysely<T>, folder: URL, last?: string): Promise<string[]> {
  const migrator = new Migrator({ db, provider: provider(folder) });
  const { error, results } = await (last ? migrator.migrateTo(last) : migrator.migrateToLatest());
  if (error) throw error;
  return (results ?? [])
    .filter(({ status }) => status === 'Success')
    .map(({ migrationName }) => migrationName);
}
