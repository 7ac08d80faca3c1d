import { join } from 'node:path';
import { freePort, Process, ROOT } from '@callmesh/local';
import { agentRules, type Server } from './rules.ts';
import type { Stage } from './stage.ts';

async function standin(stage: Stage): Promise<Server> {
  const [sip, esl] = [`127.0.0.1:${await freePort()}`, await freePort()];
  const process = new Process({
    name: 'standin',
    command: globalThis.process.execPath,
    args: [
      ...[
        join(ROOT, 'test/standin/standin.mjs'),
        '--id',
        'fs-media-1',
        '--password',
        'secret',
        '--heartbeat',
        '1',
      ],
      ...['--sip', sip, '--esl', `127.0.0.1:${esl}`, '--control', '127.0.0.1:0', '--max', '100'],
    ],
    log: join(stage.dir, 'standin.log'),
  });
  await stage.run(process);
  const set = async (settings: Record<string, unknown>) => {
    const url = `http://${process.ready.control}/set`;
    const answer = await fetch(url, { method: 'POST', body: JSON.stringify(settings) });
    if (!answer.ok) throw new Error(await answer.text());
  };
  return {
    process,
    sip,
    esl: { port: esl, password: 'secret' },
    answering: '1000',
    bridge: async (to) => {
      await set({ bridgeTo: to });
      return { number: '2000', undo: () => set({ bridgeTo: '' }) };
    },
    pause: (paused) => set({ pausedInbound: paused }),
  };
}

agentRules('a node-agent beside a stand-in', standin);
