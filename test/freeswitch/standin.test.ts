import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, freeswitchBinary, freeswitchNode } from '@callmesh/local';
import { describe, it } from 'vitest';
import { commandRules, type MediaServer } from '../standin/command-rules.ts';

const TITLE = 'commands to a real FreeSWITCH media node, which the stand-in stands in for';

async function freeswitch(): Promise<MediaServer> {
  const dir = mkdtempSync(join(tmpdir(), 'callmesh-fs-'));
  const sip = `127.0.0.1:${await freePort()}`;
  const esl = { port: await freePort(), password: randomBytes(16).toString('hex') };
  const server = freeswitchNode({ id: 'fs-media-1', role: 'media', dir, sip, esl, max: 100 });
  await server.start();
  return {
    sip,
    esl: `127.0.0.1:${esl.port}`,
    password: esl.password,
    recordings: join(dir, 'recordings'),
    stop: async () => {
      await server.kill();
      rmSync(dir, { recursive: true });
    },
  };
}

if (freeswitchBinary()) commandRules(TITLE, freeswitch);
else describe(TITLE, () => it.skip('skipped: no freeswitch on PATH or in FREESWITCH_HOME', () => {}));
