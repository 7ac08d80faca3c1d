import { setTimeout as delay } from 'node:timers/promises';
import { CallmeshError } from '../errors.ts';
import type { Component } from '../lifecycle.ts';
import type { App } from '../service.ts';
import type { Database } from './database.ts';
import { fromDatabaseError } from './errors.ts';
import { migrate } from './migrate.ts';

const RETRY_MS = 1_000;

/** A database as part of a service. */
export interface DatabaseComponent extends Component {
  /** Whether its tables are up to date. */
  readonly ready: boolean;
}

/**
 * Brings the tables up to date with a folder of migrations as soon as the database
 * answers. The service is ready only then, unless it does not need the database for that.
 */
export function databaseComponent<T>(
  app: App,
  database: Database<T>,
  migrations: URL,
  { needed = true } = {},
): DatabaseComponent {
  const stopped = new AbortController();
  let ready = false;
  let preparing: Promise<void> | undefined;
  async function prepare(): Promise<void> {
    while (!stopped.signal.aborted) {
      const reason = await tryMigrate(app, database, migrations);
      app.degraded('database', reason);
      ready = reason === null;
      if (ready) return;
      await delay(RETRY_MS, undefined, { signal: stopped.signal }).catch(() => {});
    }
  }
  return {
    name: 'database',
    get ready() {
      return ready;
    },
    async start() {
      preparing = prepare();
      if (needed) await preparing;
      else
        preparing.catch((error) => app.degraded('database', `cannot be used: ${(error as Error).message}`));
    },
    async drain() {
      stopped.abort();
    },
    async stop() {
      stopped.abort();
      await preparing?.catch(() => {});
      await database.close();
    },
  };
}

/** Why it could not be done now; null when it was. */
async function tryMigrate<T>(app: App, { db }: Database<T>, migrations: URL): Promise<string | null> {
  try {
    const done = await migrate(db, migrations);
    if (done.length) app.log.info({ migrations: done }, 'migrated');
    return null;
  } catch (thrown) {
    const error = fromDatabaseError(thrown);
    if (error instanceof CallmeshError && error.code === 'unavailable') return error.message;
    throw thrown;
  }
}
