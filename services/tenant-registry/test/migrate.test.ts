import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { postgresBinaries, startPostgres, type TestPostgres } from '../../../test/support/postgres.ts';
import { openPostgres } from '../src/adapters/database.ts';
import { migrate } from '../src/adapters/migrate.ts';
import { Store } from '../src/adapters/store.ts';

// A first start of an embedded database or a server takes seconds of CPU, and other tests run beside.
vi.setConfig({ hookTimeout: 120_000, testTimeout: 60_000 });

describe.skipIf(!postgresBinaries())('migrations', () => {
  let server: TestPostgres;
  beforeAll(async () => {
    server = (await startPostgres())!;
  });
  afterAll(() => server?.stop());

  it('are run once when five replicas start together on an empty database', async () => {
    const url = server.createDatabase('together');
    const replicas = Array.from({ length: 5 }, () => openPostgres(url, 2));
    const ran = await Promise.all(replicas.map(({ db }) => migrate(db)));
    expect(ran.flat()).toEqual(['0001_tables']);
    const revisions = await Promise.all(replicas.map(({ db }) => new Store(db, 100).bounds()));
    expect(new Set(revisions.map(({ revision }) => revision)).size).toBe(1);
    await Promise.all(replicas.map(({ close }) => close()));
  });

  it('start at a revision above that of any registry made before', async () => {
    const revisions: number[] = [];
    for (const name of ['first', 'second']) {
      const { db, close } = openPostgres(server.createDatabase(name), 2);
      await migrate(db);
      revisions.push((await new Store(db, 100).bounds()).revision);
      await close();
    }
    expect(revisions[1]).toBeGreaterThan(revisions[0]!);
  });
});
