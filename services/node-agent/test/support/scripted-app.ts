import { App, commonConfig, parseConfig } from '@callmesh/runtime';
import { z } from 'zod';

export const TOKEN = 'a-token-of-the-test-mesh';

/** An app that is not a process; what it cannot promise is kept in `lacks`. */
export function scriptedApp(): { app: App; lacks: Map<string, string> } {
  const config = { instance: 'agent-1', log: { level: 'error' }, auth: { token: TOKEN }, state_dir: '/tmp' };
  const app = new App('node-agent', parseConfig(z.strictObject(commonConfig), JSON.stringify(config)));
  const lacks = new Map<string, string>();
  app.degraded = (source, reason) =>
    void (reason === null ? lacks.delete(source) : lacks.set(source, reason));
  return { app, lacks };
}
