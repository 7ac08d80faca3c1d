import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tenant, Trunk } from '@callmesh/proto/tenant';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { convert } from 'xmlbuilder2';
import { CarrierTrunks } from '../src/adapters/freeswitch/carrier-trunks.ts';
import { Directory } from '../src/domain/kamailio/directory.ts';
import { Attended } from './support/attended.ts';
import { scriptedApp } from './support/scripted-app.ts';

const PROFILE = 'sofia profile carriers';
const [LIFE, NEXT_LIFE] = ['aaaaaaaa-0000-4000-8000-000000000000', 'bbbbbbbb-0000-4000-8000-000000000000'];

/** A FreeSWITCH's gateways: it takes new ones from the document, and changes none that is there. */
let gateways: Set<string>;
let epoch: string;
let refusing: string | undefined;
let dir: string;
let directory: Directory;
let isKnown: boolean;
let secrets: Record<string, string>;
let trunks: CarrierTrunks;
let attended: Attended;
let lacks: Map<string, string>;

function answer(command: string): string | undefined {
  if (command === refusing) return '-ERR no';
  if (command === 'global_getvar core_uuid') return epoch;
  if (command === `${PROFILE} gwlist up`) return `${[...gateways].join(' ')} `;
  if (command === `${PROFILE} gwlist down`) return '-ERR no reply\n';
  const [, killed = ''] = /killgw (\S+)$/.exec(command) ?? [];
  if (killed !== '') return kill(killed);
  if (command === `${PROFILE} rescan`) for (const { id } of users(asks('gateways'))) gateways.add(id);
  if (command === 'reloadacl') asks('network-list');
  return '+OK';
}

function kill(id: string): string {
  if (!gateways.has(id)) return '-ERR no such gateway.\n';
  // It says goodbye to its registrar first.
  setTimeout(() => {
    gateways.delete(id);
    attended.tell('sofia::gateway_delete', { Gateway: id });
  }, 50);
  return '+OK gateway marked for deletion.\n';
}

const asks = (purpose: string) =>
  trunks.document(new URLSearchParams({ key_value: 'carriers', purpose, 'Core-UUID': epoch }));

interface User {
  readonly id: string;
  readonly cidr?: string;
  readonly params: Record<string, string>;
}

/** The document, read as FreeSWITCH does: by names, not by order. */
function users(document: string | undefined): User[] {
  if (!document) return [];
  expect(document).not.toContain('<?');
  const read = convert(document, { format: 'map', verbose: true, group: false }) as never;
  const at = (node: unknown, ...path: string[]): Map<string, unknown>[] =>
    path.reduce<Map<string, unknown>[]>(
      (found, name) => found.flatMap((one) => (one.get(name) as Map<string, unknown>[] | undefined) ?? []),
      [node as Map<string, unknown>],
    );
  return at(read, 'document', 'section', 'domain', 'groups', 'group', 'users', 'user').map((user) => ({
    id: String(user.get('@id')),
    ...(user.has('@cidr') && { cidr: String(user.get('@cidr')) }),
    params: Object.fromEntries(
      at(user, 'gateways', 'gateway', 'param').map((param) => [param.get('@name'), param.get('@value')]),
    ),
  }));
}

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'carriers-'));
  [gateways, epoch, refusing, isKnown, secrets] = [new Set(), LIFE, undefined, true, {}];
  directory = new Directory();
  directory.put({
    value: { $case: 'tenant', value: Tenant.fromPartial({ id: 'acme', enabled: true }) },
    revision: 0,
  });
  put('carrier-a');
  put('carrier-b');
});
afterEach(async () => {
  await trunks.stop();
  await attended.stop();
  rmSync(dir, { recursive: true });
});

function put(id: string, more: Record<string, unknown> = {}): void {
  const value = Trunk.fromPartial({
    ...{ id, tenantId: 'acme', kind: 'TRUNK_KIND_CARRIER', auth: 'TRUNK_AUTH_ADDRESS', enabled: true },
    ...{ sourceAddresses: ['198.51.100.7:5060'], contactUri: `sip:${id}.example:5060` },
    ...more,
  });
  directory.put({ value: { $case: 'trunk', value }, revision: 0 });
}

/** An agent begins: with what it knows, and its file. */
async function start(): Promise<void> {
  const scripted = scriptedApp();
  lacks = scripted.lacks;
  const tenants = {
    directory,
    get known() {
      return isKnown;
    },
  };
  trunks = new CarrierTrunks(scripted.app, tenants, (id) => secrets[id], join(dir, 'carriers.json'));
  attended = await Attended.start(trunks, answer);
}

async function restart(): Promise<void> {
  await trunks.stop();
  await attended.stop();
  await start();
}

/** What was done, beside looking. */
const done = () => attended.asked.filter((one) => !/global_getvar|gwlist/.test(one));
const inForce = (...ids: string[]) =>
  vi.waitFor(() => {
    expect([...gateways].toSorted()).toEqual(ids);
    expect(lacks.size).toBe(0);
  }, 5_000);

describe('the carriers of an fs-tandem', () => {
  it('are a document of users with their networks and gateways', async () => {
    secrets = { 'carrier-a': 'pass<word> & "more"' };
    put('carrier-a', { register: true, username: 'acme', realm: 'carrier.example' });
    put('in-only', { contactUri: '', sourceAddresses: ['203.0.113.0/24'] });
    await start();
    expect(users(asks('gateways'))).toMatchObject([
      { id: 'carrier-a', cidr: '198.51.100.7/32', params: { register: 'true' } },
      { id: 'carrier-b', params: { proxy: 'carrier-b.example:5060', register: 'false' } },
      { id: 'in-only', cidr: '203.0.113.0/24', params: {} },
    ]);
    expect(asks('gateways')).toContain('value="pass&lt;word&gt; &amp; &quot;more&quot;"');
  });

  it('are told to a FreeSWITCH that was there before', async () => {
    await start();
    await inForce('carrier-a', 'carrier-b');
    expect(done()).toEqual(['reloadacl', `${PROFILE} rescan`]);
  });

  it('are not told to a FreeSWITCH that has asked by itself', async () => {
    await start();
    await inForce('carrier-a', 'carrier-b');
    attended.asked.length = 0;
    epoch = NEXT_LIFE;
    asks('network-list');
    asks('gateways');
    await attended.connect();
    expect(done()).toEqual([]);
    await attended.connect();
    expect(done()).toEqual([]);
  });

  it('that changed are replaced, others left alone; the new one comes when the old is gone', async () => {
    await start();
    attended.asked.length = 0;
    put('carrier-b', { contactUri: 'sip:new.example:5060' });
    trunks.change();
    await vi.waitFor(
      () => expect(done()).toEqual([`${PROFILE} killgw carrier-b`, `${PROFILE} rescan`]),
      5_000,
    );
    await inForce('carrier-a', 'carrier-b');
  });

  it('that went are gone, and changes that come together are one', async () => {
    await start();
    attended.asked.length = 0;
    put('carrier-a', { enabled: false });
    trunks.change();
    put('carrier-c', { sourceAddresses: ['192.0.2.1'] });
    trunks.change();
    await inForce('carrier-b', 'carrier-c');
    expect(done()).toEqual(['reloadacl', `${PROFILE} killgw carrier-a`, `${PROFILE} rescan`]);
  });

  it('are not touched when what changed is none of FreeSWITCH’s concern', async () => {
    await start();
    attended.asked.length = 0;
    put('carrier-a', { maxChannels: 3 });
    trunks.change();
    put('carrier-b', { sourceAddresses: ['192.0.2.1'] });
    trunks.change();
    await vi.waitFor(() => expect(done()).toEqual(['reloadacl']), 5_000);
  });

  it('stay as they are when the agent restarts, and when its connection does', async () => {
    await start();
    await restart();
    expect(done()).toEqual([]);
    attended.cut();
    await attended.connect();
    expect(done()).toEqual([]);
  });

  it('stay as they are while the agent knows of no tenant yet', async () => {
    await start();
    isKnown = false;
    await restart();
    expect(asks('gateways')).toBeUndefined();
    expect(done()).toEqual([]);
    expect([...gateways]).toEqual(['carrier-a', 'carrier-b']);
    isKnown = true;
    trunks.change();
    await vi.waitFor(() => expect(asks('gateways')).toBeDefined());
    await inForce('carrier-a', 'carrier-b');
    expect(done()).toEqual([]);
  });

  it('with another secret begin anew with the next agent', async () => {
    put('carrier-a', { register: true });
    await start();
    secrets = { 'carrier-a': 'another' };
    await restart();
    expect(done()).toEqual([`${PROFILE} killgw carrier-a`, `${PROFILE} rescan`]);
  });

  it('nobody knows the state of all begin anew: those that are there go first', async () => {
    gateways = new Set(['carrier-a', 'old']);
    await start();
    expect(done()).toEqual([
      'reloadacl',
      `${PROFILE} killgw carrier-a`,
      `${PROFILE} killgw old`,
      `${PROFILE} rescan`,
    ]);
    await inForce('carrier-a', 'carrier-b');
  });

  it('that FreeSWITCH does not take are said to be missing, and offered again', async () => {
    refusing = `${PROFILE} rescan`;
    await start();
    expect(lacks.get('carrier-trunks')).toContain('-ERR no');
    refusing = undefined;
    attended.cut();
    await attended.connect();
    await inForce('carrier-a', 'carrier-b');
  });
});
