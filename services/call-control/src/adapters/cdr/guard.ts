import { type App, CallmeshError, fail } from '@callmesh/runtime';
import type { DatabaseComponent } from '@callmesh/runtime/sql';

/** Runs work on the database, and says in health whether that can be done. Errors: unavailable, and the work's own. */
export type Guard = <T>(work: () => Promise<T>) => Promise<T>;

export function guarded(app: App, database: DatabaseComponent): Guard {
  return async (work) => {
    if (!database.ready) throw fail('unavailable', 'the database is not there yet');
    try {
      const result = await work();
      app.degraded('database', null);
      return result;
    } catch (error) {
      if (error instanceof CallmeshError && error.code === 'unavailable')
        app.degraded('database', error.message);
      throw error;
    }
  };
}
