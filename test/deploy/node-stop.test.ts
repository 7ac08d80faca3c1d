import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, freePort, ROOT } from '@callmesh/local';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const SCRIPTS = join(ROOT, 'deploy/helm/callmesh/files');

/** Stands for the command line: says what it was asked, shows a node, and drains it when it is let. */
const CALLMESH = `#!/bin/sh
echo "$*" >> "$RUN_DIR/asked"
case "$2" in
  show) printf '{\\n  "node": {},\\n  "desired": "DESIRED_STATE_%s"\\n}\\n' "$WANTED" ;;
  drain)
    [ -e "$RUN_DIR/fails" ] && { rm "$RUN_DIR/fails"; exit 5; }
    until [ -e "$RUN_DIR/empty" ]; do sleep 0.05; done
    ;;
esac
`;

describe('a node that is stopped', () => {
  let dir: string;
  let freeswitch: Server;
  let port: number;
  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'callmesh-stop-'));
    writeFileSync(join(dir, 'callmesh'), CALLMESH, { mode: 0o755 });
    port = await freePort();
    freeswitch = createServer((socket) => socket.destroy()).listen(port, '127.0.0.1');
  });
  afterEach(() => {
    freeswitch.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const mark = (name: string) => writeFileSync(join(dir, name), '');
  const asked = () => readFileSync(join(dir, 'asked'), 'utf8').trim().split('\n');
  /** Runs a script of the pod; resolves with its exit code. */
  function run(script: string, wanted = 'ACTIVE') {
    const path = `${dir}:${join(process.execPath, '..')}:${process.env.PATH}`;
    const env = {
      PATH: path,
      POD_NAME: 'fs-media-1',
      RUN_DIR: dir,
      ESL_PORT: String(port),
      WANTED: wanted,
      LOOK_S: '0.1',
      TRY_S: '0.1',
    };
    const child = spawn('sh', [join(SCRIPTS, script)], { env, stdio: 'ignore' });
    return new Promise<number | null>((resolve) => child.on('exit', resolve));
  }

  it('goes when its last call has ended, and leaves no drain behind', async () => {
    const [server, agent] = [run('freeswitch-stop.sh'), run('node-stop.sh')];
    await eventually(() => asked().includes('node drain fs-media-1 --wait'), 'it drains');
    expect(existsSync(join(dir, 'drained'))).toBe(false);
    mark('empty');
    expect(await server).toBe(0);
    expect(asked()).not.toContain('node undrain fs-media-1');
    freeswitch.close();
    expect(await agent).toBe(0);
    expect(asked()).toEqual([
      'node show fs-media-1 -o json',
      'node drain fs-media-1 --wait',
      'node undrain fs-media-1',
    ]);
  });

  it('stays drained when an operator had drained it before', async () => {
    mark('empty');
    const [server, agent] = [run('freeswitch-stop.sh'), run('node-stop.sh', 'DRAINING')];
    await server;
    freeswitch.close();
    expect(await agent).toBe(0);
    expect(asked()).not.toContain('node undrain fs-media-1');
  });

  it('asks again when nobody answered, rather than stop with calls', async () => {
    mark('fails');
    mark('empty');
    const [server, agent] = [run('freeswitch-stop.sh'), run('node-stop.sh')];
    expect(await server).toBe(0);
    freeswitch.close();
    await agent;
    expect(asked().filter((line) => line.startsWith('node drain'))).toHaveLength(2);
  });

  it('is not drained when its agent alone begins anew', async () => {
    expect(await run('node-stop.sh')).toBe(0);
    expect(existsSync(join(dir, 'asked'))).toBe(false);
  });
});
