import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort, rtpPorts } from './ports.ts';
import { eventually, Process } from './process.ts';

/** A third-party server on a loopback port, with its data in a folder of its own. */
export interface Server {
  readonly process: Process;
  readonly url: string;
  /** Its data folder: remove it between stop and start to wipe the server. */
  readonly data: string;
  /** "127.0.0.1:port" that serves /metrics, where it has one. */
  readonly metrics?: string;
}

/** Resolves when something listens on the port. */
export async function listening(port: number, ms?: number): Promise<void> {
  await eventually(
    () =>
      new Promise<boolean>((resolve) => {
        const socket = connect(port, '127.0.0.1', () => {
          socket.destroy();
          resolve(true);
        });
        socket.once('error', () => resolve(false));
      }),
    `port ${port} accepts connections`,
    ms,
  );
}

/** etcd with one member. */
export async function etcdServer(dir: string): Promise<Server> {
  const [client, peer] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${client}`;
  const peerUrl = `http://127.0.0.1:${peer}`;
  const data = join(dir, 'etcd-data');
  const process = new Process({
    name: 'etcd',
    command: 'etcd',
    args: [
      ...['--name', 'local', '--data-dir', data, '--log-level', 'warn'],
      ...['--listen-client-urls', url, '--advertise-client-urls', url],
      ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
      ...['--initial-cluster', `local=${peerUrl}`],
    ],
    log: join(dir, 'etcd.log'),
    ready: async () => {
      await eventually(async () => (await fetch(`${url}/health`)).ok, 'etcd is healthy');
    },
  });
  return { process, url, data };
}

/** A NATS server with JetStream. */
export async function natsServer(dir: string): Promise<Server> {
  const port = await freePort();
  const data = join(dir, 'nats-data');
  const process = new Process({
    name: 'nats',
    command: 'nats-server',
    args: ['-js', '-sd', data, '-a', '127.0.0.1', '-p', String(port)],
    log: join(dir, 'nats.log'),
    ready: () => listening(port),
  });
  return { process, url: `nats://127.0.0.1:${port}`, data };
}

/** The first, second ... of so many rtpengines, in user space; `url` is the address of its ng control protocol. */
export async function rtpengineServer(dir: string, which = 1, of = 1): Promise<Server> {
  const name = `rtpengine-${which}`;
  const [ng, http] = [await freePort(), await freePort()];
  const [low, high] = rtpPorts(which, of);
  mkdirSync(dir, { recursive: true });
  const process = new Process({
    name,
    command: 'rtpengine',
    args: [
      ...['--config-file=none', '--foreground', '--table=-1', '--interface=127.0.0.1'],
      ...[`--listen-ng=127.0.0.1:${ng}`, `--listen-http=127.0.0.1:${http}`],
      ...[`--port-min=${low}`, `--port-max=${high}`, '--log-stderr', '--log-level=4', '--num-threads=2'],
      `--pidfile=${join(dir, `${name}.pid`)}`,
    ],
    log: join(dir, `${name}.log`),
    ready: async () => {
      await eventually(async () => (await fetch(`http://127.0.0.1:${http}/ping`)).ok, `${name} answers`);
    },
  });
  return { process, url: `udp:127.0.0.1:${ng}`, data: dir, metrics: `127.0.0.1:${http}` };
}
