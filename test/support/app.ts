import { App, commonConfig, parseConfig } from '@callmesh/runtime';
import { z } from 'zod';

export const TOKEN = 'a-token-of-the-test-mesh';

/** An app that is not a process: what a client, etcd or NATS of the runtime wants to stand on. */
export function testApp(name: string, config: Record<string, unknown> = {}): App {
  const schema = z.strictObject(commonConfig);
  const text = JSON.stringify({
    instance: `${name}-1`,
    log: { level: 'error' },
    auth: { token: TOKEN },
    state_dir: '/tmp',
    ...config,
  });
  return new App(name, parseConfig(schema, text));
}
