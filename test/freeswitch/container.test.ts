import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, freeswitchApi, freeswitchBinary, listening, Process, ROOT } from '@callmesh/local';
import { afterAll, describe, expect, it } from 'vitest';

/** A folder as Kubernetes mounts a ConfigMap: each file a link into a folder that is replaced as a whole. */
function mounted(from: string, to: string): void {
  mkdirSync(join(to, '..2026_01_01'), { recursive: true });
  symlinkSync('..2026_01_01', join(to, '..data'));
  for (const file of readdirSync(from)) {
    writeFileSync(join(to, '..2026_01_01', file), readFileSync(join(from, file)));
    symlinkSync(join('..data', file), join(to, file));
  }
}

describe('FreeSWITCH in a container', () => {
  if (!freeswitchBinary()) {
    it.skip('skipped: no freeswitch on PATH or in FREESWITCH_HOME', () => {});
    return;
  }
  const dir = mkdtempSync(join(tmpdir(), 'callmesh-container-'));
  const running: Process[] = [];
  afterAll(async () => {
    for (const process of running) await process.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it.each(['media', 'tandem'])(
    'starts as fs-%s from mounted files, and forgets that it was to stop',
    async (role) => {
      const run = join(dir, role);
      mkdirSync(run);
      for (const folder of ['common', `fs-${role}`])
        mounted(join(ROOT, 'freeswitch', folder), join(run, 'conf', folder));
      writeFileSync(join(run, 'stopping'), '');
      const esl = { port: await freePort(), password: 'of-the-event-socket' };
      const process = new Process({
        name: role,
        command: 'sh',
        args: [join(ROOT, 'deploy/helm/callmesh/files/freeswitch-start.sh'), role, freeswitchBinary()!],
        env: {
          ...{ RUN_DIR: run, DATA_DIR: join(run, 'data'), CONFIG_DIR: join(run, 'conf') },
          ...{ FS_NAME: `fs-${role}-0`, FS_PEERS: '10.0.0.0/8,192.168.0.0/16', FS_LOG_FILE: '/dev/stdout' },
          ...{
            FS_SIP_ADDRESS: '127.0.0.1',
            FS_SIP_PORT: String(await freePort()),
            FS_CARRIER_PORT: String(await freePort()),
          },
          ...{ FS_ESL_PORT: String(esl.port), FS_ESL_PASSWORD: esl.password },
        },
        log: join(dir, `${role}.log`),
        ready: () => listening(esl.port, 60_000),
      });
      running.push(process);
      await process.start();
      expect(await freeswitchApi(esl, 'switchname')).toBe(`fs-${role}-0`);
      expect(await freeswitchApi(esl, 'sofia status')).toMatch(/mesh\s+profile\s.*RUNNING/);
      expect(await freeswitchApi(esl, 'acl 192.168.3.4 peers')).toBe('true');
      expect(existsSync(join(run, 'stopping'))).toBe(false);
    },
  );
});
