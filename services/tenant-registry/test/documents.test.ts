import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Database } from '../src/adapters/database.ts';
import { Feed } from '../src/adapters/feed.ts';
import { Store } from '../src/adapters/store.ts';
import { specOf } from '../src/domain/kinds/index.ts';
import { exportTenant, importTenant } from '../src/handlers/documents.ts';
import { Registry } from '../src/handlers/registry.ts';
import { readSeed, seed } from '../src/handlers/seed.ts';
import { embedded } from './databases.ts';
import { HA1 } from './samples.ts';

// A first start of an embedded database or a server takes seconds of CPU, and other tests run beside.
vi.setConfig({ hookTimeout: 120_000, testTimeout: 60_000 });

const PLATFORM = `node_groups:
  - { id: media-a, role: media }
  - { id: media-b, role: media, strategy: hash }
  - { id: routers, role: router }
app_nodes:
  - { id: fs-media-a1, role: media, group_id: media-a, weight: 10 }
links:
  - { function: general, group_id: media-a }
  - { function: general, role: router, group_id: routers }
`;

const ACME = `tenant:
  id: acme
  name: ACME GmbH
  domain: acme.example
  max_calls: 100
  allowed_destinations: ["+49", "+43"]
links:
  - { function: general, group_id: media-a }
  - { function: predictive, group_id: media-b }
agents:
  - { username: alice, display_name: "Alice: the first", ha1_md5: ${HA1}, extension: "1001" }
  - { username: bob, ha1_md5: "12345678901234567890123456789012", enabled: false }
dids:
  - { number: "+4930123456", function: general, destination_kind: agent, destination: alice@acme.example }
  - { number: "+4930123457", function: predictive, destination_kind: control }
  - { number: "+4930123458", function: general, destination_kind: trunk, destination: acme-gw/+4930200 }
trunks:
  - id: acme-pbx
    kind: hybrid
    auth: address
    source_addresses: [198.51.100.7]
    contact_uri: sip:198.51.100.7:5060;transport=udp
    rules:
      - { direction: inbound, position: 10, match: "00", strip: 2, prepend: "+" }
      - { direction: inbound, position: 2, match: "0", strip: 1, prepend: "+49" }
  - { id: acme-gw, kind: carrier, auth: digest, username: acme, ha1_md5: ${HA1}, priority: 5 }
  - id: acme-carrier
    kind: carrier
    auth: address
    source_addresses: [203.0.113.9]
    contact_uri: sip:sip.carrier.example
    username: "4930123456"
    register: true
    served_prefixes: ["+49"]
    caller_number: "+4930123456"
    identity_header: remote-party-id
    failover_causes: [NORMAL_TEMPORARY_FAILURE]
`;

describe('YAML documents', () => {
  let database: Database;
  let registry: Registry;
  const run = (yaml: string, dryRun = false) => importTenant(registry, { yaml, dryRun, actor: '' }, 'test');
  const read = async (tenantId: string) => (await exportTenant(registry, { tenantId })).yaml;

  beforeAll(async () => {
    database = await embedded.open();
    const store = new Store(database.db, 1000);
    registry = new Registry(store, new Feed({ revision: async () => 0, onHealth: () => {} }), () => {});
    await run(PLATFORM);
  });
  afterAll(() => database.close());

  it('make a tenant what they say, and change nothing the second time', async () => {
    expect(await run(ACME)).toMatchObject({ tenantId: 'acme', created: 13, updated: 0, deleted: 0 });
    const before = await registry.store.bounds();
    expect(await run(ACME)).toMatchObject({ created: 0, updated: 0, deleted: 0, revision: before.revision });
  });

  it('change nothing when an export is imported again', async () => {
    for (const tenant of ['acme', '*'])
      expect(await run(await read(tenant))).toMatchObject({ created: 0, updated: 0, deleted: 0 });
  });

  it('are exported as a person would write them', async () => {
    const text = await read('acme');
    expect(text).toContain('domain: acme.example');
    expect(text).not.toMatch(/tenant_id|revision|enabled: true|ha1_sha256/);
    expect(text.indexOf('position: 2')).toBeLessThan(text.indexOf('position: 10'));
  });

  it('rebuild a lost tenant from its export', async () => {
    const text = await read('acme');
    const before = (await registry.store.ofTenant('acme')).map(({ row }) => row);
    const { rows } = await registry.store.list({
      spec: (await registry.store.ofTenant('acme'))[0]!.spec,
      limit: 10,
    });
    await registry.apply({ puts: [], removes: rows, cascade: true }, 'x');
    await run(text);
    expect((await registry.store.ofTenant('acme')).map(({ row }) => row)).toEqual(before);
  });

  it('say what they would do on a dry run, and do nothing', async () => {
    const text = ACME.replace('max_calls: 100', 'max_calls: 5').replace(/ {2}- { username: bob.*\n/, '');
    const before = await registry.store.bounds();
    expect(await run(text, true)).toMatchObject({
      created: 0,
      updated: 1,
      deleted: 1,
      revision: before.revision,
    });
    expect(await registry.store.bounds()).toEqual(before);
  });

  it('take away what they leave out, and give what became free to another of the same document', async () => {
    const text = ACME.replace('username: bob', 'username: carol').replace('id: acme-pbx', 'id: acme-pbx-2');
    expect(await run(text)).toMatchObject({ created: 4, updated: 0, deleted: 4 });
    await run(ACME);
  });

  it('move a tenant to a new domain, agents and all', async () => {
    const text = ACME.replaceAll('acme.example', 'neu.example');
    expect(await run(text)).toMatchObject({ created: 2, deleted: 2 });
    await run(ACME);
  });

  it.each([
    [
      'a group that is missing',
      ACME.replace('media-b', 'media-x'),
      'precondition_failed',
      'line 9, column 39: links[1].group_id: there is no node_group media-x',
    ],
    [
      'an agent that is missing',
      ACME.replace('destination: alice', 'destination: eve'),
      'precondition_failed',
      'dids[0].destination: there is no agent eve@acme.example',
    ],
    [
      'a trunk that is missing as destination',
      ACME.replace('acme-gw/+4930200', 'acme-gw-2/200'),
      'precondition_failed',
      'dids[2].destination: there is no trunk acme-gw-2',
    ],
    [
      'a trunk of another tenant as destination',
      'tenant: { id: b, domain: b.example }\ndids: [{ number: "+49401", function: general, destination_kind: trunk, destination: acme-gw/200 }]',
      'precondition_failed',
      'dids[0].destination: there is no trunk acme-gw',
    ],
    [
      'an extension at a carrier',
      ACME.replace('acme-gw/+4930200', 'acme-gw/200'),
      'precondition_failed',
      'dids[2].destination: trunk acme-gw is a carrier: expected an E.164 number',
    ],
    [
      'an agent that it takes away',
      ACME.replace(/ {2}- { username: alice.*\n/, ''),
      'precondition_failed',
      'dids[0].destination: there is no agent alice@acme.example',
    ],
    [
      'a group of another role',
      ACME.replace('function: predictive, group_id: media-b', 'function: gray, group_id: routers'),
      'precondition_failed',
      'links[1].group_id: node_group routers has role router',
    ],
    [
      'an agent twice',
      ACME.replace('username: bob', 'username: alice'),
      'already_exists',
      'line 12, column 17: agents[1].username: alice@acme.example is there twice',
    ],
    [
      "a colleague's extension",
      ACME.replace('username: bob,', 'username: bob, extension: "1001",'),
      'already_exists',
      'agents[1].extension: 1001 is already used by agent alice@acme.example',
    ],
    [
      "another tenant's address",
      `tenant: { id: b, domain: b.example }\ntrunks: [{ id: b-pbx, kind: hybrid, auth: address, source_addresses: [10.1.1.1, 198.51.100.7] }]`,
      'already_exists',
      "line 2, column 81: trunks[0].source_addresses[1]: 198.51.100.7 is already used by another tenant's trunk",
    ],
    [
      "another tenant's trunk id",
      'tenant: { id: b, domain: b.example }\ntrunks: [{ id: acme-pbx, kind: hybrid, auth: address, source_addresses: [10.1.1.1] }]',
      'already_exists',
      'trunks[0].id: acme-pbx is already used by another tenant',
    ],
    [
      "another tenant's domain",
      'tenant: { id: b, domain: acme.example }',
      'already_exists',
      "line 1, column 26: tenant.domain: acme.example is already used by another tenant's tenant",
    ],
    [
      'a group that is in use left out',
      'node_groups: [{ id: media-b, role: media }, { id: routers, role: router }]',
      'precondition_failed',
      'node_group media-a is referred to by',
    ],
    [
      'a group with a new role',
      PLATFORM.replace('media-b, role: media', 'media-b, role: tandem'),
      'precondition_failed',
      'line 3, column 26: node_groups[1].role: never changes; it is media',
    ],
  ])('with %s are refused, say where, and leave all as it was', async (_, text, code, message) => {
    const before = await registry.store.bounds();
    const error = await run(text).catch((thrown) => thrown);
    expect(error).toMatchObject({ code });
    expect(error.message).toContain(message);
    expect(await registry.store.bounds()).toEqual(before);
  });

  it('keep a trunk that a number leads to', async () => {
    const remove = { removes: [{ spec: specOf('trunk'), id: 'acme-gw' }], puts: [] };
    await expect(registry.apply(remove, 'x')).rejects.toMatchObject({ code: 'precondition_failed' });
  });

  it('seed what is not there and leave alone what is', async () => {
    const changed = ACME.replace('max_calls: 100', 'max_calls: 7');
    const other = 'tenant: { id: seeded, domain: seeded.example }';
    const platform = PLATFORM.replace('hash', 'random').replace(
      'links:',
      '  - { id: fs-x, role: media, group_id: media-b }\nlinks:',
    );
    const text = [platform, changed, other].join('---\n');
    const created = await seed(registry, readSeed([{ name: 'demo.yaml', text }]));
    expect(created).toBe(2);
    expect(await read('acme')).toContain('max_calls: 100');
    expect(await read('*')).toContain('strategy: hash');
  });

  it('name the file when a seed is wrong', async () => {
    expect(() => readSeed([{ name: 'demo.yaml', text: 'tenant: {}' }])).toThrow(
      /^demo\.yaml: line 1, column 9/,
    );
  });

  it('read back as the same rows, whatever texts they hold', async () => {
    const printable = fc
      .string({ maxLength: 30, unit: 'grapheme' })
      .filter((text) => !/[\p{Cc}\u2028\u2029]/u.test(text));
    const hash = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 32, maxLength: 32 });
    const digits = fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 2, maxLength: 10 });
    const agent = fc.record({ display_name: printable, ha1_md5: hash, extension: digits });
    const document = fc.record({
      name: printable,
      agents: fc.uniqueArray(agent, { maxLength: 5, selector: (a) => a.extension }),
    });
    await fc.assert(
      fc.asyncProperty(document, async ({ name, agents }) => {
        const tenant = { id: 'prop', domain: 'prop.example', name };
        const named = agents.map((fields, index) => ({ username: `agent-${index}`, ...fields }));
        await run(JSON.stringify({ tenant, agents: named }));
        const rows = await registry.store.ofTenant('prop');
        expect(rows[0]?.row).toMatchObject(tenant);
        expect(rows.slice(1).map(({ row }) => row)).toMatchObject(named);
        expect(await run(await read('prop'))).toMatchObject({ created: 0, updated: 0, deleted: 0 });
      }),
      { numRuns: 20 },
    );
  });
});
