import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Authority, freePort, listening, Process } from '@callmesh/local';
import { App, commonConfig, Etcd, Nats, parseConfig } from '@callmesh/runtime';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Connection } from '../../services/cli/src/connection.ts';

const authority = new Authority();
const file = (name: string) => authority.file(name);
const tls = { ca: file('ca.pem'), cert: file('client.pem'), key: file('client.key') };
const dir = mkdtempSync(join(tmpdir(), 'callmesh-stores-'));
const servers: Process[] = [];
let etcd: string;
let nats: string;
let app: App | undefined;

beforeAll(async () => {
  authority.issue('store', 'IP:127.0.0.1,DNS:localhost');
  authority.issue('client');
  [etcd, nats] = await Promise.all([guardedEtcd(), guardedNats()]);
});
afterEach(async () => {
  await app?.lifecycle.shutdown();
  app = undefined;
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  authority.remove();
  rmSync(dir, { recursive: true, force: true });
});

/** etcd that asks for a certificate and for a password; root's is "wide open", mesh's "let me in". */
async function guardedEtcd(): Promise<string> {
  const [port, peer] = [await freePort(), await freePort()];
  const [url, peers] = [`https://127.0.0.1:${port}`, `http://127.0.0.1:${peer}`];
  const args = [
    ...['--name', 'local', '--data-dir', join(dir, 'etcd'), '--log-level', 'warn'],
    ...['--listen-client-urls', url, '--advertise-client-urls', url],
    ...[
      '--listen-peer-urls',
      peers,
      '--initial-advertise-peer-urls',
      peers,
      '--initial-cluster',
      `local=${peers}`,
    ],
    ...['--cert-file', file('store.pem'), '--key-file', file('store.key')],
    ...['--client-cert-auth', '--trusted-ca-file', file('ca.pem')],
  ];
  await start(
    new Process({
      name: 'etcd',
      command: 'etcd',
      args,
      log: join(dir, 'etcd.log'),
      ready: () => listening(port),
    }),
  );
  const access = ['--endpoints', url, '--cacert', tls.ca, '--cert', tls.cert, '--key', tls.key];
  const ctl = (...words: string[]) => execFileSync('etcdctl', [...access, ...words], { stdio: 'ignore' });
  ctl('user', 'add', 'root:wide open');
  ctl('user', 'grant-role', 'root', 'root');
  ctl('role', 'add', 'mesh');
  ctl('role', 'grant-permission', 'mesh', '--prefix=true', 'readwrite', '/callmesh/');
  ctl('user', 'add', 'mesh:let me in');
  ctl('user', 'grant-role', 'mesh', 'mesh');
  ctl('auth', 'enable');
  return url;
}

async function guardedNats(): Promise<string> {
  const port = await freePort();
  const args = [
    ...['-js', '-sd', join(dir, 'nats'), '-a', '127.0.0.1', '-p', String(port)],
    ...['--user', 'mesh', '--pass', 'let me in', '--tlsverify'],
    ...['--tlscert', file('store.pem'), '--tlskey', file('store.key'), '--tlscacert', file('ca.pem')],
  ];
  await start(
    new Process({
      name: 'nats',
      command: 'nats-server',
      args,
      log: join(dir, 'nats.log'),
      ready: () => listening(port),
    }),
  );
  return `nats://127.0.0.1:${port}`;
}

async function start(server: Process): Promise<void> {
  servers.push(server);
  await server.start();
}

/** A service with these stores, started. */
async function service(stores: object) {
  const text = JSON.stringify({
    auth: { token: '0123456789abcdef' },
    log: { level: 'error' },
    state_dir: dir,
    ...stores,
  });
  app = new App('probe', parseConfig(z.strictObject(commonConfig), text));
  const started = { etcd: new Etcd(app, app.config.etcd), nats: new Nats(app, app.config.nats) };
  app.add(started.etcd);
  app.add(started.nats);
  await app.lifecycle.start();
  return { ...started, why: (source: string) => app!.health().degraded[source]?.reason };
}

/** A NATS server that takes whom its `authorization` names. */
async function natsFor(authorization: string): Promise<string> {
  const port = await freePort();
  const config = join(dir, `nats-${port}.conf`);
  writeFileSync(config, `listen: "127.0.0.1:${port}"\nauthorization { ${authorization} }\n`);
  const log = join(dir, `nats-${port}.log`);
  await start(
    new Process({
      name: 'nats',
      command: 'nats-server',
      args: ['-c', config],
      log,
      ready: () => listening(port),
    }),
  );
  return `nats://127.0.0.1:${port}`;
}

const etcdAs = (password: string) => ({ endpoints: [etcd], username: 'mesh', password, tls });
const natsAs = (password: string) => ({ servers: [nats], user: 'mesh', password, tls });

describe('stores that ask who one is', () => {
  it('are used with certificate and password', async () => {
    const { etcd, nats, why } = await service({ etcd: etcdAs('let me in'), nats: natsAs('let me in') });
    await etcd.put('/callmesh/test', 'kept');
    await expect(etcd.get('/callmesh/test')).resolves.toBe('kept');
    const received = new Promise((resolve) => nats.subscribe('test', (message) => resolve(message.string())));
    nats.publish('test', 'heard');
    await expect(received).resolves.toBe('heard');
    expect([why('etcd'), why('nats')]).toEqual([undefined, undefined]);
  });

  it('refuse a wrong password, and the service says which one', async () => {
    const { why } = await service({ etcd: etcdAs('wrong'), nats: natsAs('wrong') });
    expect(why('etcd')).toContain('etcd.username with this etcd.password');
    expect(why('nats')).toContain('nats.user with this nats.password');
  });

  it('refuse who says nothing, and the service says what is missing', async () => {
    const { why } = await service({ etcd: { endpoints: [etcd], tls }, nats: { servers: [nats], tls } });
    expect(why('etcd')).toContain('etcd.username');
    expect(why('nats')).toContain('wants nats.user');
  });

  it('are not talked to when another authority signed them', async () => {
    const other = new Authority();
    const wrong = { ...tls, ca: other.file('ca.pem') };
    const { why } = await service({
      etcd: { ...etcdAs('let me in'), tls: wrong },
      nats: { ...natsAs('let me in'), tls: wrong },
    });
    other.remove();
    expect(why('etcd')).toMatch(/certificate/);
    expect(why('nats')).toMatch(/certificate/);
  });

  it('know a service by its token', async () => {
    const server = await natsFor('token: "let me in"');
    const { why } = await service({
      etcd: etcdAs('let me in'),
      nats: { servers: [server], token: 'let me in' },
    });
    expect(why('nats')).toBeUndefined();
  });

  it('tell the command line where services are', async () => {
    const [endpoints, etcdAccess] = [[etcd], { username: 'mesh', password: 'let me in', tls }];
    const connection = new Connection({
      etcd: endpoints,
      etcdAccess,
      server: [],
      token: '',
      tls: undefined,
      timeoutMs: 2_000,
    });
    await expect(connection.instances('state')).resolves.toEqual(new Map());
    connection.close();
  });
});
