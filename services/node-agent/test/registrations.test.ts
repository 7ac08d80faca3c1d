import { Registration } from '@callmesh/proto/session';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Registrations } from '../src/adapters/freeswitch/registrations.ts';
import { RegistrationOutbox } from '../src/adapters/registration-outbox.ts';
import { Attended } from './support/attended.ts';
import { scriptedApp } from './support/scripted-app.ts';
import { ScriptedCache } from './support/scripted-cache.ts';

const ALICE = 'alice@acme.example';
const PATH = 'sip:kama-wss-1@10.0.0.1:5060;lr;ob';
/** Since when FreeSWITCH has been up, Unix milliseconds. */
let began: number;

let cache: ScriptedCache;
let attended: Attended;
let parts: { stop(): Promise<void> }[];
let lacks: Map<string, string>;
/** Domains of tenants; undefined while none is known. */
let tenants: Map<string, string> | undefined;
/** What FreeSWITCH lists: contact and seconds left. */
let listed: { contact: string; left?: number; callId?: string }[];
let missing = false;
let deadDoor = 'none';

function list(): string {
  if (missing) return 'Invalid Profile!\n';
  const rows = listed.map(({ contact, left = 130, callId = 'c-1' }) =>
    [
      `Call-ID:    \t${callId}`,
      `User:       \t${ALICE}`,
      `Contact:    \t"" <${contact};fs_path=${encodeURIComponent(`<${PATH}>`)}>`,
      'Agent:      \tJsSIP',
      `Status:     \tRegistered(UDP)(unknown) EXP(2026-11-23 06:43:31) EXPSECS(${left})`,
      '',
      '',
    ].join('\n'),
  );
  return `Registrations:\n\n${rows.join('')}Total items returned: ${rows.length}\n`;
}

const answer = (command: string) => {
  if (command === 'uptime ms') return String(Date.now() - began);
  return command === 'sofia status profile mesh reg' ? list() : '+OK';
};

beforeEach(async () => {
  tenants = new Map([['acme.example', 'acme']]);
  listed = [];
  missing = false;
  deadDoor = 'none';
  began = Date.now() - 3_600_000;
  const scripted = scriptedApp();
  lacks = scripted.lacks;
  cache = await ScriptedCache.start(scripted.app);
  const outbox = new RegistrationOutbox(scripted.app, 'fs-router-1', cache.address, {
    get known() {
      return tenants !== undefined;
    },
    tenantOf: (aor) => tenants?.get(aor.slice(aor.indexOf('@') + 1)),
    edgeOf: ([hop = '']) => /sip:([^@]+)@/.exec(hop)?.[1] ?? '',
  });
  const registrations = new Registrations(scripted.app, outbox, {
    isGone: ([hop = '']) => hop.includes(`@${deadDoor}`),
  });
  parts = [registrations, outbox];
});
afterEach(async () => {
  for (const part of parts) await part.stop();
  await attended.stop();
  await cache.stop();
});

const start = async () => {
  attended = await Attended.start(parts[0] as Registrations, answer);
};
const known = (contact: string, more: Partial<Registration> = {}) => {
  const registration = Registration.fromPartial({
    ...{ aor: ALICE, tenantId: 'acme', contact, routerId: 'fs-router-1', callId: 'c-1' },
    cseq: Math.floor(Date.now() / 1000) - 60,
    expiresAt: new Date(Date.now() + 118_000),
    ...more,
  });
  cache.contacts.set(`${ALICE} ${contact}`, registration);
};
let seconds = 0;
const tell = (what: 'register' | 'unregister', contact: string, more: Record<string, string> = {}) =>
  attended.tell(`sofia::${what}`, {
    'from-user': 'alice',
    'from-host': 'acme.example',
    contact: `"" <${contact};fs_path=<${PATH}>>`,
    expires: what === 'register' ? '120' : '0',
    'call-id': 'c-1',
    'user-agent': 'JsSIP',
    'Event-Date-Timestamp': String((Date.now() + ++seconds) * 1000),
    ...more,
  });
const changes = () => cache.asked.filter((asked) => !asked.startsWith('list'));
const told = (...expected: string[]) => vi.waitFor(() => expect(changes()).toEqual(expected), 5_000);

describe('a registration at an fs-router', () => {
  it('is told to session-cache: whose, where, by which door, how long', async () => {
    await start();
    const at = Date.now();
    tell('register', 'sip:page@x.invalid;transport=ws');
    await told(`put ${ALICE} sip:page@x.invalid;transport=ws`);
    const [registration] = cache.contacts.values();
    expect(registration).toMatchObject({
      ...{ aor: ALICE, tenantId: 'acme', routerId: 'fs-router-1', edgeId: 'kama-wss-1', path: [PATH] },
      ...{ userAgent: 'JsSIP', callId: 'c-1', instanceId: '' },
    });
    expect(registration!.expiresAt!.getTime()).toBeGreaterThanOrEqual(at + 120_000);
    expect(registration!.expiresAt!.getTime()).toBeLessThan(at + 122_000);
    tell('unregister', 'sip:page@x.invalid;transport=ws');
    await vi.waitFor(() => expect(cache.contacts.size).toBe(0));
    expect(lacks.size).toBe(0);
  });

  it('is told in order, for whatever was told of it meanwhile in its last state', async () => {
    await start();
    cache.away = true;
    tell('register', 'sip:page@x.invalid');
    await vi.waitFor(() => expect(lacks.get('session-cache')).toContain('away'), 5_000);
    tell('unregister', 'sip:page@x.invalid');
    tell('register', 'sip:phone@x');
    tell('register', 'sip:page@x.invalid');
    tell('unregister', 'sip:phone@x');
    cache.asked.length = 0;
    cache.away = false;
    await vi.waitFor(() => expect(lacks.size).toBe(0), 5_000);
    const last = [`put ${ALICE} sip:page@x.invalid`, `gone ${ALICE} sip:phone@x`];
    expect(changes().filter((asked, index, all) => all.indexOf(asked) === index)).toEqual(last);
    expect([...cache.contacts.keys()]).toEqual([`${ALICE} sip:page@x.invalid`]);
  });

  it('does not go because an older one is told after a newer one elsewhere', async () => {
    await start();
    known('sip:page@x.invalid', { routerId: 'fs-router-2', cseq: Math.floor(Date.now() / 1000) + 60 });
    tell('unregister', 'sip:page@x.invalid');
    await told(`gone ${ALICE} sip:page@x.invalid`);
    await vi.waitFor(() => expect(cache.contacts.size).toBe(1));
  });

  it('goes with all others of the agent by "*", which FreeSWITCH is told too', async () => {
    await start();
    known('sip:page@x.invalid');
    known('sip:phone@x');
    tell('unregister', 'sip:(null)@(null)');
    await told(`remove ${ALICE} *`);
    expect(attended.asked).toContain(`sofia profile mesh flush_inbound_reg ${ALICE}`);
    expect(cache.contacts.size).toBe(0);
  });

  it('waits for its tenant to be known, and is nobody’s concern where there is none', async () => {
    tenants = undefined;
    await start();
    tell('register', 'sip:page@x.invalid', { 'Event-Date-Timestamp': '1000000' });
    tell('register', 'sip:page@x.invalid', { 'from-user': 'eve', 'from-host': 'nowhere.example' });
    tenants = new Map([['other.example', 'other']]);
    tell('register', 'sip:page@x.invalid', { 'from-user': 'bob', 'from-host': 'other.example' });
    await told('put bob@other.example sip:page@x.invalid');
    tenants.set('acme.example', 'acme');
    tell('register', 'sip:phone@x');
    await vi.waitFor(() => expect(changes()).toContain(`put ${ALICE} sip:phone@x`));
    expect(changes().join()).not.toContain('nowhere');
  });

  it('that only the list tells exactly is taken from the list', async () => {
    await start();
    listed = [{ contact: 'sip:al%40ice@10.0.0.7' }];
    tell('register', 'sip:al@ice@10.0.0.7');
    await told(`put ${ALICE} sip:al%40ice@10.0.0.7`);
  });

  it('is not asked about again when session-cache will never take it', async () => {
    await start();
    known('sip:page@x.invalid', { cseq: 4_000_000_000 });
    tell('register', 'sip:page@x.invalid');
    await told(`put ${ALICE} sip:page@x.invalid`);
    tell('register', 'sip:phone@x');
    await told(`put ${ALICE} sip:page@x.invalid`, `put ${ALICE} sip:phone@x`);
    expect(lacks.size).toBe(0);
  });
});

describe('after a connection was made', () => {
  it('session-cache is told what it lacks, what has gone, and what stays longer', async () => {
    listed = [{ contact: 'sip:new@x' }, { contact: 'sip:same@x' }, { contact: 'sip:longer@x', left: 300 }];
    for (const contact of ['sip:same@x', 'sip:longer@x', 'sip:old@x']) known(contact);
    await start();
    await vi.waitFor(() => expect(changes()).toHaveLength(3));
    expect(changes().toSorted()).toEqual([
      `gone ${ALICE} sip:old@x`,
      `put ${ALICE} sip:longer@x`,
      `put ${ALICE} sip:new@x`,
    ]);
    expect(cache.contacts.get(`${ALICE} sip:new@x`)).toMatchObject({ userAgent: 'JsSIP', path: [PATH] });
  });

  it('what another router keeps, and what FreeSWITCH lost with its last life, stays', async () => {
    known('sip:elsewhere@x', { routerId: 'fs-router-2' });
    known('sip:before@x', { cseq: Math.floor(began / 1000) - 5 });
    known('sip:gone@x');
    await start();
    await told(`gone ${ALICE} sip:gone@x`);
    expect([...cache.contacts.keys()]).toEqual([`${ALICE} sip:elsewhere@x`, `${ALICE} sip:before@x`]);
  });

  it('whoever was behind a door that died has gone, though FreeSWITCH keeps them', async () => {
    listed = [{ contact: 'sip:page@x' }];
    known('sip:page@x', { path: [PATH] });
    await start();
    expect(changes()).toEqual([]);
    deadDoor = '10.0.0.1:5060';
    (parts[0] as Registrations).doorsChanged();
    await told(`gone ${ALICE} sip:page@x`);
    deadDoor = 'none';
    (parts[0] as Registrations).doorsChanged();
    await told(`gone ${ALICE} sip:page@x`, `put ${ALICE} sip:page@x`);
  });

  it('what FreeSWITCH kept from the life before, and nobody else did, is left alone until it comes again', async () => {
    known('sip:stays@x');
    listed = [{ contact: 'sip:stays@x' }];
    await start();
    began = Date.now();
    listed = [{ contact: 'sip:stays@x' }, { contact: 'sip:moved@x' }];
    await attended.connect();
    listed = [{ contact: 'sip:stays@x' }, { contact: 'sip:moved@x', left: 310 }];
    await attended.connect();
    await told(`put ${ALICE} sip:moved@x`);
  });

  it('what is heard while the list is fetched is newer than the list', async () => {
    known('sip:fresh@x');
    listed = [{ contact: 'sip:left@x' }];
    await start();
    await told(`put ${ALICE} sip:left@x`, `gone ${ALICE} sip:fresh@x`);
    cache.asked.length = 0;
    // The list is of before, the events are of after, and come first.
    listed = [{ contact: 'sip:left@x' }];
    const before = attended.answer;
    attended.answer = (command) => {
      if (command === 'uptime ms') {
        tell('register', 'sip:fresh@x');
        tell('unregister', 'sip:left@x');
      }
      return before(command);
    };
    await attended.connect();
    await told(`put ${ALICE} sip:fresh@x`, `gone ${ALICE} sip:left@x`);
    expect([...cache.contacts.keys()]).toEqual([`${ALICE} sip:fresh@x`]);
  });

  it('nothing is taken for gone because FreeSWITCH lists nothing yet, or session-cache is away', async () => {
    known('sip:page@x.invalid');
    missing = true;
    await start();
    expect(lacks.get('registrations')).toContain('does not list');
    missing = false;
    listed = [{ contact: 'sip:page@x.invalid' }];
    cache.away = true;
    await attended.connect();
    expect(lacks.get('registrations')).toBe('away');
    cache.away = false;
    await attended.connect();
    expect(lacks.size).toBe(0);
    expect(changes()).toEqual([]);
  });
});
