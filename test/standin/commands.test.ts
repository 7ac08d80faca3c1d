import { commandRules } from './command-rules.ts';
import { StandinNode } from './node/node.ts';

commandRules('commands to a stand-in media node', async () => {
  const node = await StandinNode.start({ id: 'fs-media-1', settings: { parkS: 60 } });
  return {
    sip: node.sip,
    esl: node.eslAddress,
    password: 'standin',
    recordings: '/var/recordings',
    stop: async () => node.kill(),
  };
});
