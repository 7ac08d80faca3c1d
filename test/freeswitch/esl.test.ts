import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { freePort, freeswitchApi, freeswitchBinary, listening, Process } from '@callmesh/local';
import { describe, it } from 'vitest';
import { agentRules, type Server } from '../node-agent/rules.ts';
import type { Stage } from '../node-agent/stage.ts';
import { writeMinimal } from './minimal.ts';

const binary = freeswitchBinary();

async function freeswitch(stage: Stage, program: string): Promise<Server> {
  const [sipPort, eslPort, rtpPort] = [await freePort(), await freePort(), await freePort()];
  const eslPassword = randomBytes(16).toString('hex');
  const dir = join(stage.dir, 'freeswitch');
  // An even port, with room above it for 200.
  const rtp = Math.min(rtpPort - (rtpPort % 2), 65_000);
  const args = writeMinimal({
    dir,
    name: 'fs-media-1',
    sipPort,
    eslPort,
    eslPassword,
    rtpPort: rtp,
    maxSessions: 100,
  });
  const process = new Process({
    name: 'freeswitch',
    command: 'nice',
    args: ['-n', '5', program, ...args],
    log: join(stage.dir, 'freeswitch.log'),
    ready: () => listening(eslPort),
  });
  await stage.run(process);
  const esl = { port: eslPort, password: eslPassword };
  return {
    process,
    sip: `127.0.0.1:${sipPort}`,
    esl,
    answering: '1000',
    bridge: async (to) => ({ number: `bridge-${to.split(':')[1]}`, undo: async () => {} }),
    pause: async (paused) => void (await freeswitchApi(esl, `fsctl ${paused ? 'pause' : 'resume'} inbound`)),
  };
}

if (binary) {
  agentRules('a node-agent beside a real FreeSWITCH', (stage) => freeswitch(stage, binary));
} else {
  describe('a node-agent beside a real FreeSWITCH', () => {
    it.skip('skipped: no freeswitch on PATH or in FREESWITCH_HOME', () => {});
  });
}
