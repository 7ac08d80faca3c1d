import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';
import { EslClient } from './esl/client.test-support.ts';
import { Uac } from './uac.ts';

interface Ready {
  msg: string;
  id: string;
  sip: string;
  esl: string;
  control: string;
  core_uuid: string;
  nodes: { id: string; sip: string; esl: string }[];
}

const SIPP = 'sipp';
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

async function start(...args: string[]): Promise<{ child: ChildProcess; ready: Ready }> {
  const main = new URL('./standin.mjs', import.meta.url).pathname;
  const child = spawn(
    process.execPath,
    [main, '--id', 'fs-1', '--password', 'x', '--control', '127.0.0.1:0', ...args],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  children.push(child);
  const [line] = (await once(createInterface(child.stdout!), 'line')) as [string];
  return { child, ready: JSON.parse(line) as Ready };
}

async function steer(ready: Ready, path: string, body?: object): Promise<Record<string, unknown>> {
  const response = await fetch(`http://${ready.control}${path}`, {
    ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}),
  });
  return (await response.json()) as Record<string, unknown>;
}

describe('a stand-in as a process', () => {
  it('prints one ready line and is steered over its control server', async () => {
    const { ready } = await start('--set', 'respond=486');
    const uac = await Uac.open();
    const dial = () => uac.call({ proxy: ready.sip, to: 'sip:1@acme' });
    expect(ready).toMatchObject({ msg: 'ready', id: 'fs-1' });
    expect((await dial().outcome).status).toBe(486);
    expect(await steer(ready, '/set', { respond: 0, max: 5 })).toMatchObject({
      settings: { respond: 0, max: 5 },
    });
    const call = dial();
    await call.outcome;
    expect(await steer(ready, '/nodes/fs-1')).toMatchObject({ channels: 1, state: 'up', refused: 1 });
    expect(await steer(ready, '/channels')).toMatchObject([{ call_id: call.callId, direction: 'inbound' }]);
    expect(await steer(ready, '/request', { call_id: call.callId, method: 'INVITE' })).toMatchObject({
      status: 200,
    });
    expect(await steer(ready, '/hangup', { call_id: call.callId })).toEqual({ ended: 1 });
    expect((await call.ended).by).toBe('remote');
    expect(await steer(ready, '/set', { nonsense: 1 })).toEqual({ message: 'unknown setting nonsense' });
    uac.close();
  });

  it('killed with -9 closes its event socket at once; stopped with SIGSTOP it is silent and goes on after SIGCONT', async () => {
    const { child, ready } = await start();
    const uac = await Uac.open();
    const esl = await EslClient.open(ready.esl, 'x');
    child.kill('SIGSTOP');
    const call = uac.call({ proxy: ready.sip, to: 'sip:1@acme' });
    const early = await Promise.race([
      call.outcome,
      new Promise((resolve) => setTimeout(resolve, 300, 'nothing')),
    ]);
    expect(early).toBe('nothing');
    child.kill('SIGCONT');
    expect((await call.outcome).status).toBe(200);
    child.kill('SIGKILL');
    await esl.closed;
    uac.close();
  });

  it('shuts down by fsctl: calls are ended, clients told, the process ends with 0', async () => {
    const { child, ready } = await start();
    const uac = await Uac.open();
    const esl = await EslClient.open(ready.esl, 'x');
    const call = uac.call({ proxy: ready.sip, to: 'sip:1@acme' });
    await call.outcome;
    const exited = once(child, 'exit');
    await esl.api('fsctl shutdown');
    expect((await call.ended).by).toBe('remote');
    expect((await esl.message()).body).toBe('The system is being shut down.\n');
    expect(await exited).toEqual([0, null]);
    uac.close();
  });

  it('hosts many nodes, each with its own addresses', async () => {
    const { ready } = await start('--count', '20', '--no-tcp');
    expect(ready.nodes.map(({ id }) => id).slice(0, 2)).toEqual(['fs-1-1', 'fs-1-2']);
    expect(new Set(ready.nodes.flatMap(({ sip, esl }) => [sip, esl])).size).toBe(40);
    expect(await steer(ready, '/nodes/*/set', { max: 7 })).toHaveLength(20);
  });
});

describe('sipp calling a stand-in', () => {
  it('200 calls at 50 a second, none failed', { timeout: 60_000 }, async (context) => {
    if (!(await installed(SIPP))) context.skip('sipp is not installed');
    const { ready } = await start('--set', 'ringing=true', '--set', 'answerDelayMs=50');
    const dir = mkdtempSync(join(tmpdir(), 'standin-sipp-'));
    const args = [
      '-sn',
      'uac',
      ready.sip,
      '-i',
      '127.0.0.1',
      '-p',
      '0',
      '-r',
      '50',
      '-m',
      '200',
      '-d',
      '300',
      '-nostdin',
    ];
    const sipp = execFile(SIPP, args, { cwd: dir });
    const [code] = (await once(sipp, 'exit')) as [number];
    rmSync(dir, { recursive: true });
    expect(code).toBe(0);
    expect(await steer(ready, '/status')).toMatchObject({ sessions: 200, channels: 0 });
  });
});

function installed(command: string): Promise<boolean> {
  return new Promise((resolve) => execFile('which', [command], (error) => resolve(!error)));
}
