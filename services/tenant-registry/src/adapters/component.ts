import { setTimeout as delay } from 'node:timers/promises';
import { type App, CallmeshError, type Component } from '@callmesh/runtime';
import type { Database } from './database.ts';
import { fromDatabaseError } from './errors.ts';
import { migrate } from './migrate.ts';

const RETRY_MS = 1_000;

/**
 * The database as part of the service: brings its tables up to date before the
 * service is ready, and waits for it as long as it is away.
 */
export function databaseComponent(app: App, database: Database): Component {
  const stopped = new AbortController();
  return {
    name: 'database',
    async start() {
      while (!stopped.signal.aborted) {
        const reason = await tryMigrate(app, database);
        app.degraded('database', reason);
        if (reason === null) return;
        await delay(RETRY_MS, undefined, { signal: stopped.signal }).catch(() => {});
      }
    },
    async drain() {
      stopped.abort();
    },
    stop: () => database.close(),
  };
}

/** Why it could not be done now; null when it was. */
async function tryMigrate(app: App, { db }: Database): Promise<string | null> {
  try {
    const done = await migrate(db);
    if (done.length) app.log.info({ migrations: done }, 'migrated');
    return null;
  } catch (thrown) {
    const error = fromDatabaseError(thrown);
    if (error instanceof CallmeshError && error.code === 'unavailable') return error.message;
    throw thrown;
  }
}
