import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Database } from '../src/adapters/database.ts';
import { Store } from '../src/adapters/store.ts';
import { keyOf } from '../src/domain/batch.ts';
import type { KindName } from '../src/domain/kind.ts';
import { specOf } from '../src/domain/kinds/index.ts';
import { embedded, postgres } from './databases.ts';
import { HA1, oneOfEach, put } from './samples.ts';

// A first start of an embedded database or a server takes seconds of CPU, and other tests run beside.
vi.setConfig({ hookTimeout: 120_000, testTimeout: 60_000 });

const remove = (name: KindName, id: string) => ({ spec: specOf(name), id });

for (const backend of [embedded, postgres()]) {
  describe.skipIf(!backend.available)(`the store on ${backend.name}`, () => {
    let database: Database;
    let store: Store;
    beforeAll(async () => {
      await backend.start();
      database = await backend.open();
    });
    afterAll(async () => {
      await database?.close();
      await backend.stop();
    });
    beforeEach(async () => {
      store = new Store(database.db, 1000);
      const all = (await store.snapshot()).rows.filter(({ spec }) =>
        ['tenant', 'node_group'].includes(spec.name),
      );
      await store.apply({ puts: [], removes: all, cascade: true }, 'cleanup');
      const links = (await store.ofTenant('*')).map(({ spec, id }) => ({ spec, id }));
      await store.apply({ puts: [], removes: links }, 'cleanup');
    });
    const apply = (...puts: ReturnType<typeof put>[]) => store.apply({ puts }, 'test');

    it('gives back every kind as it was put, in canonical form and with its derived id', async () => {
      await apply(...oneOfEach());
      const { rows } = await store.snapshot();
      expect(rows.map(({ spec, id }) => `${spec.name} ${id}`)).toEqual([
        'tenant acme',
        'node_group media-a',
        'app_node fs-media-a1',
        'tenant_app acme/general/media',
        'agent alice@acme.example',
        'trunk acme-pbx',
        'number_rule acme-pbx/inbound/called/10',
        'did +4930123456',
      ]);
      for (const { spec, row } of rows) {
        const given = oneOfEach().find((one) => one.spec === spec)!.row;
        expect(row).toMatchObject(given);
      }
    });

    it('gives every change a revision of its own, in order', async () => {
      const { revision: before } = await store.bounds();
      const { changes, revision } = await apply(...oneOfEach());
      expect(revision).toBe(before + changes.length);
      const deltas = await store.changes(before, 100);
      expect(deltas.map((delta) => delta.revision)).toEqual(changes.map((_, index) => before + 1 + index));
    });

    it('changes nothing and logs nothing when a row is already as given', async () => {
      await apply(...oneOfEach());
      const before = await store.bounds();
      const { changes, revision } = await store.apply(
        { puts: oneOfEach().map((one) => ({ ...one, expect: 'any' })) },
        'x',
      );
      expect(changes).toEqual([]);
      expect(revision).toBe(before.revision);
    });

    it('refuses to create what is there and to update what is not', async () => {
      await apply(put('tenant'));
      await expect(apply(put('tenant'))).rejects.toMatchObject({
        code: 'already_exists',
        field: 'tenant.id',
      });
      await expect(apply(put('tenant', { id: 'b', domain: 'b.example' }, 'present'))).rejects.toMatchObject({
        code: 'not_found',
      });
    });

    it('refuses an update of another revision than the current', async () => {
      const { revision } = await apply(put('tenant'));
      const update = { ...put('tenant', { name: 'x' }, 'present'), revision };
      await apply(update);
      await expect(apply({ ...update, row: put('tenant', { name: 'y' }).row })).rejects.toMatchObject({
        code: 'conflict',
        field: 'tenant.revision',
      });
    });

    it.each<[KindName, string]>([
      ['app_node', 'app_node.group_id'],
      ['tenant_app', 'tenant_app.tenant_id'],
      ['agent', 'agent.tenant_id'],
      ['did', 'did.tenant_id'],
      ['trunk', 'trunk.tenant_id'],
      ['number_rule', 'number_rule.trunk_id'],
    ])('refuses a %s whose reference leads nowhere', async (name, field) => {
      await expect(apply(put(name))).rejects.toMatchObject({ code: 'precondition_failed', field });
    });

    it("refuses a number whose destination is another tenant's agent", async () => {
      await apply(put('tenant'), put('agent'), put('tenant', { id: 'b', domain: 'b.example' }));
      await expect(apply(put('did', { tenant_id: 'b' }))).rejects.toMatchObject({
        code: 'precondition_failed',
        field: 'did.destination',
      });
    });

    it('refuses a link or node of another role than its group', async () => {
      await apply(put('tenant'), put('node_group'));
      for (const name of ['app_node', 'tenant_app'] as const)
        await expect(apply(put(name, { role: 'router' }))).rejects.toMatchObject({
          code: 'precondition_failed',
          field: `${name}.group_id`,
        });
    });

    it.each<[string, ReturnType<typeof put>, string]>([
      ['domain', put('tenant', { id: 'b' }), 'tenant.domain'],
      [
        'source address',
        put('trunk', { id: 'b', source_addresses: ['10.0.0.1', '198.51.100.7'] }),
        'trunk.source_addresses[1]',
      ],
      ['username', put('agent', { username: '77', extension: '1001' }), 'agent.extension'],
      ['number', put('did', { destination_kind: 'control', destination: '' }), 'did.number'],
      ['rule position', put('number_rule', { match: '1' }), 'number_rule.position'],
    ])('refuses a %s that is taken', async (_, taken, field) => {
      await apply(...oneOfEach(), put('agent', { username: '1001' }));
      await expect(apply(taken)).rejects.toMatchObject({ code: 'already_exists', field });
    });

    it("does not name another tenant's trunk to whom its address collides with", async () => {
      await apply(...oneOfEach(), put('tenant', { id: 'b', domain: 'b.example' }));
      const error = await apply(put('trunk', { id: 'b-pbx', tenant_id: 'b' })).catch((thrown) => thrown);
      expect(error.message).toBe(
        "trunk.source_addresses[0]: 198.51.100.7 is already used by another tenant's trunk",
      );
    });

    it('lets digest trunks share an address, but no user and realm', async () => {
      const digest = { auth: 'digest', username: 'pbx', ha1_md5: HA1 };
      await apply(...oneOfEach(), put('trunk', { id: 'd-1', ...digest }));
      await apply(put('trunk', { id: 'd-2', ...digest, username: 'pbx2' }));
      await expect(apply(put('trunk', { id: 'd-3', ...digest }))).rejects.toMatchObject({
        code: 'already_exists',
        field: 'trunk.username',
      });
      expect((await store.get(specOf('trunk'), 'd-1')).row.realm).toBe('acme.example');
    });

    it('refuses to remove what is referred to, and takes it all along on cascade', async () => {
      await apply(...oneOfEach());
      const tenant = [remove('tenant', 'acme')];
      await expect(store.apply({ puts: [], removes: tenant }, 'x')).rejects.toMatchObject({
        code: 'precondition_failed',
      });
      const { changes } = await store.apply({ puts: [], removes: tenant, cascade: true }, 'x');
      expect(changes.map(({ spec }) => spec.name)).toEqual([
        'did',
        'number_rule',
        'trunk',
        'agent',
        'tenant_app',
        'tenant',
      ]);
      expect((await store.snapshot()).rows.map(({ id }) => id)).toEqual(['media-a', 'fs-media-a1']);
    });

    it('gives a removed row back its place: what it had is free again', async () => {
      await apply(...oneOfEach());
      await store.apply({ puts: [], removes: [remove('tenant', 'acme')], cascade: true }, 'x');
      await expect(apply(put('tenant', { id: 'b' }))).resolves.toBeDefined();
    });

    it("refuses a new domain while agents' hashes are made with the old", async () => {
      await apply(put('tenant'), put('agent'));
      const moved = put('tenant', { domain: 'new.example' }, 'present');
      await expect(apply(moved)).rejects.toMatchObject({
        code: 'precondition_failed',
        field: 'tenant.domain',
      });
      await store.apply(
        { puts: [moved, put('agent')], replace: [{ spec: specOf('agent'), tenant: 'acme' }] },
        'x',
      );
      expect((await store.ofTenant('acme')).map(({ id }) => id)).toEqual(['acme', 'alice@new.example']);
    });

    it('applies all of a batch or nothing', async () => {
      const before = await store.bounds();
      await expect(apply(put('tenant'), put('agent'), put('app_node'))).rejects.toThrow();
      expect(await store.bounds()).toEqual(before);
      expect((await store.snapshot()).rows).toEqual([]);
    });

    it('says what a dry run would do, and does not do it', async () => {
      const { changes } = await store.apply({ puts: oneOfEach() }, 'x', { dryRun: true });
      expect(changes).toHaveLength(8);
      expect((await store.snapshot()).rows).toEqual([]);
    });

    it('lists a kind in pages by id, of all or of one tenant', async () => {
      await apply(
        put('tenant'),
        put('tenant', { id: 'b', domain: 'b.example' }),
        ...['Zoe', 'amy', 'Bob'].map((username) => put('agent', { username })),
        put('agent', { tenant_id: 'b', username: 'x' }),
      );
      const spec = specOf('agent');
      const first = await store.list({ spec, tenant: 'acme', limit: 2 });
      expect(first.rows.map(({ id }) => id)).toEqual(['Bob@acme.example', 'Zoe@acme.example']);
      const second = await store.list({ spec, tenant: 'acme', limit: 2, after: first.rows[1]!.id });
      expect(second.rows.map(({ id }) => id)).toEqual(['amy@acme.example']);
      expect((await store.list({ spec, limit: 10 })).rows).toHaveLength(4);
    });

    it('writes an audit line per change, with the names of fields and no secret', async () => {
      await apply(...oneOfEach());
      await store.apply(
        { puts: [put('agent', { ha1_md5: HA1.replace('d', '0'), extension: '22' }, 'present')] },
        'ann',
      );
      const [line] = await store.audit('acme', undefined, 1);
      expect(line).toMatchObject({
        actor: 'ann',
        action: 'update',
        kind: 'agent',
        id: 'alice@acme.example',
        tenant: 'acme',
        changedFields: ['ha1_md5', 'extension'],
      });
      expect(Math.abs(Date.now() - line!.at.getTime())).toBeLessThan(60_000);
      const all = await store.audit('', undefined, 1000);
      expect(JSON.stringify(all)).not.toContain(HA1);
    });

    it('keeps a bounded log of changes and says when a watcher is too far behind', async () => {
      const small = new Store(database.db, 3);
      const { revision } = await small.apply({ puts: [put('tenant')] }, 'x');
      for (let n = 0; n < 3; n++)
        await small.apply({ puts: [put('tenant', { name: `name ${n}` }, 'present')] }, 'x');
      await expect(small.changes(revision - 1, 10)).rejects.toMatchObject({ code: 'out_of_range' });
      expect(await small.changes(revision, 10)).toHaveLength(3);
      await expect(small.changes(revision + 100, 10)).rejects.toMatchObject({ code: 'out_of_range' });
    });

    it('lets writers take turns: no revision is given twice, none is seen before an earlier one', async () => {
      const { revision: start } = await store.bounds();
      const writers = Array.from({ length: 20 }, (_, n) =>
        apply(put('tenant', { id: `t${n}`, domain: `t${n}.example` })),
      );
      let seen = start;
      const seenInOrder: number[] = [];
      const writing = Promise.all(writers);
      while (seen < start + 20) {
        for (const { revision } of await store.changes(seen, 100)) {
          seenInOrder.push(revision);
          seen = revision;
        }
      }
      await writing;
      expect(seenInOrder).toEqual(Array.from({ length: 20 }, (_, n) => start + 1 + n));
    });

    it('returns the stored rows of a batch, also those that did not change', async () => {
      const { revision } = await apply(put('tenant'));
      const again = await apply(put('tenant', {}, 'any'));
      expect(again.stored.get(keyOf('tenant', 'acme'))).toMatchObject({ revision, id: 'acme' });
    });
  });
}
