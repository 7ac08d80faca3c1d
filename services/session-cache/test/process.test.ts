import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type BindResponse,
  SessionCacheServiceClient,
  type SessionEvent,
  type WatchEvent,
} from '@callmesh/proto/session';
import {
  App,
  CallPublisher,
  call,
  commonConfig,
  grpcClient,
  Nats,
  parseConfig,
  subscribeSession,
} from '@callmesh/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { binding } from './bindings.ts';
import { hasNats, NatsServer } from './nats-server.ts';
import { A, B, legEvent, proposal, until } from './replicas.ts';

const TOKEN = '0123456789abcdef';
const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

describe.skipIf(!hasNats)('two session-cache processes', () => {
  const server = new NatsServer();
  const dir = mkdtempSync(join(tmpdir(), 'session-cache-'));
  const children: ChildProcess[] = [];
  const clients: SessionCacheServiceClient[] = [];
  const events: SessionEvent[] = [];
  let app: App;
  let calls: CallPublisher;

  // No etcd: a service must start without it.
  const yaml = (instance: string) =>
    `instance: ${instance}\nauth: { token: ${TOKEN} }\nnats: { servers: ["nats://${server.url}"] }\n` +
    `etcd: { endpoints: ["http://127.0.0.1:1"] }\nstate_dir: ${join(dir, instance)}\n`;

  async function launch(instance: string): Promise<void> {
    const file = join(dir, `${instance}.yaml`);
    writeFileSync(file, yaml(instance));
    const child = spawn(process.execPath, [MAIN, '--config', file], { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    let output = '';
    child.stdout!.on('data', (text) => {
      output += text;
    });
    const line = await until(() => output.split('\n').find((one) => one.includes('"msg":"ready"')), 20_000);
    clients.push(grpcClient(app, SessionCacheServiceClient, JSON.parse(line).grpc));
  }

  beforeAll(async () => {
    await server.start();
    app = new App(
      'test',
      parseConfig(z.strictObject(commonConfig), `log: { level: error }\n${yaml('test')}`),
    );
    const nats = app.add(new Nats(app, app.config.nats));
    calls = app.add(new CallPublisher(app, nats));
    await app.lifecycle.start();
    subscribeSession(nats, (event) => events.push(event));
    for (const instance of ['sc-1', 'sc-2']) await launch(instance);
  });
  afterAll(async () => {
    for (const client of clients) client.close();
    for (const child of children) child.kill('SIGKILL');
    await app.lifecycle.shutdown();
    await server.kill({ wipe: true });
    rmSync(dir, { recursive: true, force: true });
  });

  const bind = (client: number, of = binding('call')) =>
    until(() =>
      call(clients[client]!, 'bind', { correlation: 0, binding: of, replaceDead: [] }).catch(() => undefined),
    );
  const told = (id: string) =>
    events
      .filter((one) => one.binding?.sessionId === id)
      .map(({ event, binding: now }) => `${event} ${now?.nodeId}`);

  it('follow a call from bind over the node that took it to its last hangup, and tell each step once', async () => {
    const wanted = binding('call');
    await bind(0, wanted);
    await expect(bind(1, binding('call'))).resolves.toMatchObject({ created: false });
    const session = proposal('call', A, { sessionId: wanted.sessionId });
    let sequence = 0;
    const publish = (event: string, leg: string) =>
      calls.publish(legEvent(event, session, leg, B, { sequence: ++sequence, at: new Date() }));
    for (const leg of ['a', 'b']) publish('created', leg);
    publish('answered', 'a');
    publish('hangup', 'a');
    await until(() => told(wanted.sessionId).length === 2);
    publish('hangup', 'b');
    await until(() => told(wanted.sessionId).length === 3);
    expect(told(wanted.sessionId)).toEqual(['bound fs-a', 'moved fs-b', 'released fs-b']);
    const key = { $case: 'sessionId', value: wanted.sessionId } as const;
    for (const client of clients)
      await expect(
        call(client, 'get', { tenantId: '', role: 'NODE_ROLE_UNSPECIFIED', key }),
      ).rejects.toMatchObject({ code: 'not_found' });
  });

  it('stop promptly with streams open, and end those streams', async () => {
    const stream = clients[1]!.bindStream();
    const answers: BindResponse[] = [];
    stream.on('data', (answer) => answers.push(answer));
    stream.on('error', () => {});
    stream.write({ correlation: 7, binding: binding('streamed'), replaceDead: [] });
    await until(() => answers[0]?.correlation === 7);
    const watch = clients[1]!.watch({ tenantId: '' });
    const seen: WatchEvent[] = [];
    watch.on('data', (event) => seen.push(event));
    watch.on('error', () => {});
    await until(() => seen.some(({ event }) => event?.$case === 'snapshotDone'));
    const ended = Promise.all(
      [stream, watch].map((one) => new Promise((resolve) => one.once('end', resolve))),
    );
    const exited = new Promise((resolve) => children[1]!.once('exit', resolve));
    const asked = performance.now();
    children[1]!.kill('SIGTERM');
    await ended;
    expect(await exited).toBe(0);
    expect(performance.now() - asked).toBeLessThan(5_000);
    await expect(bind(0, binding('streamed'))).resolves.toMatchObject({ created: false });
  });
});
