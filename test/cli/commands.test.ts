import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@callmesh/local';
import { Registration } from '@callmesh/proto/session';
import type { UacCall } from '@callmesh/standin/uac';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ACME, CliStage, expectGolden } from './stage.ts';

let stage: CliStage;
let live: UacCall;
let session: string;
const dir = mkdtempSync(join(tmpdir(), 'callmesh-cli-'));

beforeAll(async () => {
  stage = await CliStage.start();
  await stage.register(
    Registration.fromPartial({
      ...{
        aor: 'alice@t01.example',
        tenantId: 'acme',
        contact: 'sip:alice@192.0.2.7:5060',
        edgeId: 'kama-wss-1',
      },
      ...{ routerId: 'fs-router-1', userAgent: 'a phone', callId: 'reg@phone', cseq: 1 },
      expiresAt: new Date(Date.now() + 300_000),
    }),
  );
  const [ended] = await stage.calls(1);
  await ended!.bye();
  await eventually(
    async () => JSON.parse((await stage.run(['cdr', '-o', 'json'])).out).length === 1,
    'a record',
  );
  [live] = (await stage.calls(1)) as [UacCall];
  session = await eventually(async () => {
    const [found] = JSON.parse((await stage.run(['sessions', '-o', 'json'])).out) as {
      sessionId: string;
      state: string;
    }[];
    return found?.state === 'BINDING_STATE_CONFIRMED' && found.sessionId;
  }, 'the session is confirmed');
  await eventually(async () => {
    const rows = await stage.world.mesh.table();
    // What is measured comes with a later report.
    const measured = rows.every(({ load }) => (load?.idleCpu ?? 0) > 0);
    return measured && rows.find(({ node }) => node?.id === 'fs-red-1')?.load?.sessions === 1;
  }, 'the table tells of the call');
}, 90_000);
afterAll(async () => {
  await stage?.stop();
  rmSync(dir, { recursive: true });
});

const EXPLAIN = ['route', 'explain', `sip:${ACME.number}@acme.example`, '--source', `${ACME.host}:5060`];
/** Commands that only look, and the name of what they print. */
const LOOKS: readonly [name: string, args: readonly string[]][] = [
  ['nodes', ['nodes']],
  ['nodes-of-group', ['nodes', '--group', 'blue', '--role', 'media']],
  ['node-show', ['node', 'show', 'fs-red-1']],
  ['sessions', ['sessions', '--tenant', 'acme', '--function', 'general', '--group', 'red']],
  ['route-explain', EXPLAIN],
  ['route-number', ['route', 'number', '+49401', '--tenant', 'acme']],
  ['tenants', ['tenants']],
  ['tenants-show', ['tenants', 'show', 'acme']],
  ['registrations', ['registrations', '--tenant', 'acme']],
  ['cdr', ['cdr', '--tenant', 'acme']],
  ['doctor', ['doctor']],
];

describe('a command that looks', () => {
  it.each(LOOKS)('prints a table for people and a document for programs: %s', async (name, args) => {
    const table = await stage.run(args);
    const json = await stage.run([...args, '-o', 'json']);
    expect([table.code, json.code, table.err]).toEqual([0, 0, '']);
    expectGolden(name, table.out);
    expect(JSON.parse(json.out)).toBeTypeOf('object');
  });

  it('prints the same as YAML, for a list and for one', async () => {
    for (const args of [['tenants'], ['node', 'show', 'fs-blue-1']]) {
      const json = await stage.run([...args, '-o', 'json']);
      const yaml = await stage.run([...args, '-o', 'yaml']);
      const keys = (found: unknown) => Object.keys(Array.isArray(found) ? found[0] : (found as object));
      expect(keys(parse(yaml.out))).toEqual(keys(JSON.parse(json.out)));
    }
  });

  it('tells the story of a call that lives, by session id and by Call-ID', async () => {
    const byId = await stage.run(['session', 'show', session]);
    const byCallId = await stage.run(['session', 'show', live.callId]);
    for (const { out } of [byId, byCallId]) expectGolden('session-show-live', out);
  });

  it('follows sessions as they begin and end, until it is interrupted', async () => {
    const terminal = stage.terminal(['sessions', '--follow']);
    await terminal.shows(new RegExp(`confirmed ${session} acme general fs-red-1`));
    const [second] = await stage.calls(1);
    await second!.bye();
    await terminal.shows(/released {2}[0-9a-f]{16} acme general fs-red-1/);
    terminal.press('C-c');
    await terminal.shows(/exit 0/);
  });

  it('shows the nodes live', async () => {
    const terminal = stage.terminal(['top']);
    const screen = await terminal.shows(/3 of 3 nodes up/);
    expect(screen).toMatch(/fs-red-1 +media +red +up +\[[#.]{24}\] +\d+\/100/);
    terminal.press('C-c');
    await terminal.shows(/exit 0/);
  });

  it('completes words in bash', async () => {
    const { out } = await stage.run(['completion', 'words', '--', 'node', 'drain']);
    expect(out.split('\n')).toContain('--wait');
    for (const shell of ['bash', 'zsh', 'fish'])
      expect((await stage.run(['completion', shell])).out).toContain('callmesh completion words');
  });
});

describe('a command that changes', () => {
  it('exports a tenant, says what an import would change, and does it', async () => {
    const file = join(dir, 'acme.yaml');
    await stage.run(['tenants', 'export', 'acme', '--file', file]);
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace(/name: .*/, 'name: Acme Limited'));
    const dry = await stage.run(['tenants', 'import', file, '--dry-run']);
    expect(dry.out).toMatch(/^acme: 0 would be created, 1 would be changed, 0 would be removed\n$/);
    const done = await stage.run(['tenants', 'import', file]);
    expect(done.out).toMatch(/^acme: 0 created, 1 changed, 0 removed\n$/);
    expect((await stage.run(['tenants'])).out).toContain('Acme Limited');
  });

  it('disables a node and takes it back', async () => {
    expect((await stage.run(['node', 'disable', 'fs-blue-1'])).out).toBe('fs-blue-1: active -> disabled\n');
    expect((await stage.run(['node', 'undrain', 'fs-blue-1'])).out).toBe('fs-blue-1: disabled -> active\n');
  });

  it('switches a function to another group, and waits for what is left on the old one', async () => {
    const terminal = stage.terminal(['app', 'switch', 'acme', 'general', 'blue', '--wait']);
    await terminal.shows(/acme general: red -> blue/);
    await terminal.shows(/acme general on red \[.*\] 1 left, 0 ended, no estimate yet/);
    await live.bye();
    await terminal.shows(/0 left, 1 ended, done[\s\S]*exit 0/);
  });

  it('tells the story of a call that has ended', async () => {
    const told = await eventually(async () => {
      const run = await stage.run(['session', 'show', session]);
      return run.out.includes('RECORD') && run;
    }, 'the record is made');
    expectGolden('session-show-ended', told.out);
  });

  it('drains a node with 30 calls until the last has ended, its bar in the terminal', async () => {
    const calls = await stage.calls(30);
    const terminal = stage.terminal(['node', 'drain', 'fs-blue-1', '--wait']);
    await terminal.shows(/fs-blue-1: active -> draining/);
    await terminal.shows(/fs-blue-1 \[-{40}\] 30 left, 0 ended, no estimate yet/);
    await Promise.all(calls.slice(0, 15).map((one) => one.bye()));
    const half = await terminal.shows(/15 left, 15 ended, about \d+s to go/);
    expect(half).toMatch(/fs-blue-1 \[={20}-{20}\] 15 left/);
    expect(half).not.toContain('exit');
    await Promise.all(calls.slice(15).map((one) => one.bye()));
    expect(await terminal.shows(/exit \d/)).toMatch(/\[={40}\] 0 left, 30 ended, done[\s\S]*exit 0$/);
    await stage.run(['node', 'undrain', 'fs-blue-1']);
  });

  it('stops waiting at Ctrl-C, and takes the node back if that is wanted', async () => {
    await eventually(
      async () => (await stage.run(EXPLAIN)).out.includes('fs-blue-1: lightest'),
      'policy knows',
    );
    const [one] = await stage.calls(1);
    const goesOn = stage.terminal(['node', 'drain', 'fs-blue-1', '--wait']);
    await goesOn.shows(/1 left/);
    goesOn.press('C-c');
    await goesOn.shows(/fs-blue-1 goes on draining\s+exit 130/);
    const cancels = stage.terminal(['node', 'drain', 'fs-blue-1', '--wait', '--cancel-on-interrupt']);
    await cancels.shows(/1 left/);
    cancels.press('C-c');
    await cancels.shows(/fs-blue-1: draining -> active\s+callmesh: fs-blue-1 takes calls again\s+exit 130/);
    await one!.bye();
  });
});

const CODES: readonly [code: number, args: readonly string[], said: RegExp, env?: Record<string, string>][] =
  [
    [2, ['nods'], /unknown command 'nods'\s+\(Did you mean one of node, nodes\?\)/],
    [2, ['node', 'drain'], /missing required argument 'name'/],
    [2, ['nodes', '-o', 'xml'], /Allowed choices are table, json, yaml/],
    [2, ['sessions', '--limit', 'many'], /--limit: expected a whole number above 0/],
    [2, ['sessions', '--function', 'robots'], /function: expected one of general, gray/],
    [2, ['cdr', '--from', 'yesterday'], /--from: expected a time such as/],
    [2, ['cdr', '--limit', '5000'], /page_size/],
    [2, ['registrations', '--limit', 'x'], /--limit: expected a whole number/],
    [2, ['route', 'explain', 'sip:1@x', '--source', 'here'], /--source: expected <ip>/],
    [2, ['app', 'switch', 'acme', 'general', 'blue', '--percent', '101'], /--percent: expected 0 to 100/],
    [
      2,
      ['app', 'switch', 'acme', 'internal', 'blue', '--percent', '5'],
      /only general has a share, internal/,
    ],
    [2, ['app', 'switch', 'acme', 'general', 'blue', '--percent', '5', '--wait'], /--wait: a share empties/],
    [
      2,
      ['node', 'drain', 'fs-blue-1', '--wait', '--deadline', 'soon'],
      /--deadline: expected a time such as/,
    ],
    [
      6,
      ['node', 'drain', 'fs-blue-1', '--wait', '--deadline', '1h', '--at-deadline', 'move'],
      /cannot be moved while it lives/,
    ],
    [2, ['nodes', '--timeout', '0'], /--timeout: expected seconds above 0/],
    [2, ['nodes', '--tls-ca', '/x'], /expected --tls-ca, --tls-cert and --tls-key together/],
    [2, ['completion', 'tcsh'], /expected bash, zsh or fish, not tcsh/],
    [3, ['node', 'show', 'fs-none-1'], /no node fs-none-1/],
    [3, ['node', 'drain', 'fs-none-1'], /no node fs-none-1/],
    [3, ['session', 'show', '0000000000000000'], /no session 0000000000000000 lives/],
    [3, ['tenants', 'show', 'nobody'], /nobody/],
    [4, ['nodes'], /expected a valid bearer token/, { CALLMESH_TOKEN: 'not-the-token-of-the-mesh' }],
    [
      5,
      ['nodes', '--timeout', '1'],
      /etcd at http:\/\/127\.0\.0\.1:1/,
      { CALLMESH_ETCD: 'http://127.0.0.1:1' },
    ],
    [5, ['nodes', '--server', 'state=127.0.0.1:1', '--timeout', '1'], /./],
    [
      5,
      ['doctor', '--timeout', '1', '--server', 'session-cache=127.0.0.1:1'],
      /1 of \d+ examinations failed/,
    ],
    [6, ['app', 'switch', 'acme', 'general', 'no-such-group'], /no-such-group/],
  ];

describe('the exit code and what is said', () => {
  it.each(CODES)('%i: %j', async (code, args, said, env) => {
    const { err, ...run } = await stage.run(args, env);
    expect({ code: run.code, err }).toEqual({ code, err: expect.stringMatching(said) });
    // One sentence, not a stack.
    expect(err).not.toMatch(/\n\s+at /);
  });

  it('are those of the process', async () => {
    const unknown = await stage.process(['node', 'show', 'fs-none-1']);
    expect(unknown).toEqual({ code: 3, out: '', err: 'callmesh: no node fs-none-1\n' });
    expect((await stage.process(['node', 'show'])).code).toBe(2);
  });
});
