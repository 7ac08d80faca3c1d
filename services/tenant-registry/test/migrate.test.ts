import { migrate, openEmbedded, openPostgres } from '@callmesh/runtime/sql';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { postgresBinaries, startPostgres, type TestPostgres } from '../../../test/support/postgres.ts';
import { MIGRATIONS } from '../src/adapters/database.ts';
import { Store } from '../src/adapters/store.ts';
import type { Tables } from '../src/adapters/tables.ts';

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
    const replicas = Array.from({ length: 5 }, () => openPostgres<Tables>(url, 2));
    const ran = await Promise.all(replicas.map(({ db }) => migrate(db, MIGRATIONS)));
    expect(ran.flat()).toEqual(['0001_tables', '0002_number_plans', '0003_web_origins']);
    const revisions = await Promise.all(replicas.map(({ db }) => new Store(db, 100).bounds()));
    expect(new Set(revisions.map(({ revision }) => revision)).size).toBe(1);
    await Promise.all(replicas.map(({ close }) => close()));
  });

  it('start at a revision above that of any registry made before', async () => {
    const revisions: number[] = [];
    for (const name of ['first', 'second']) {
      const { db, close } = openPostgres<Tables>(server.createDatabase(name), 2);
      await migrate(db, MIGRATIONS);
      revisions.push((await new Store(db, 100).bounds()).revision);
      await close();
    }
    expect(revisions[1]).toBeGreaterThan(revisions[0]!);
  });
});

describe('the migration to number plans and web origins', () => {
  it('gives old rows what leaving the new fields out means, and tells watchers to start over', async () => {
    const { db, close } = await openEmbedded<Tables>(undefined);
    await migrate(db, MIGRATIONS, '0001_tables');
    await sql`insert into tenant values ('acme', '', 'acme.example', true, 0, 0, '{}', 0, 1)`.execute(db);
    await sql`insert into agent values ('a@acme.example', 'acme', 'a', '', 'x', '', true, '', 2)`.execute(db);
    const store = new Store(db, 100);
    const old = (await store.bounds()).revision;
    await migrate(db, MIGRATIONS);
    const { rows } = await store.snapshot();
    expect(rows.map(({ row }) => row)).toMatchObject([
      { blocked_destinations: [], premium_allowed: false, web_origins: [] },
      { voicemail: true },
    ]);
    await expect(store.changes(old, 10)).rejects.toMatchObject({ code: 'out_of_range' });
    await close();
  });
});
