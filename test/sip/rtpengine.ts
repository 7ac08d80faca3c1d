import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, freePort, Process } from '@callmesh/local';
import type { Knobs } from './kamailio.ts';

/**
 * RTP ports: outside of what freePort() gives out and of the kernel's own range. rtpengine binds with
 * SO_REUSEADDR, as Kamailio does: on a shared port it would silently take Kamailio's packets.
 */
const firstPort = 30_000 + (Number(process.env.VITEST_POOL_ID ?? 0) % 5) * 500;
/** Of two at once, each has its own. */
const PORTS = 250;

/** The knobs of an edge that has these relays. */
export function relays(...urls: readonly string[]): Knobs {
  return { RTPENGINE_SOCK: `"${urls.join(' ')}"`, RTPENGINE_AGAIN: `"1 == ${urls.join(' ')}"` };
}

/** A real rtpengine in user space, on loopback. */
export class Rtpengine {
  /** What Kamailio's RTPENGINE_SOCK takes, without its quotes. */
  readonly url: string;
  readonly #process: Process;
  readonly #directory: string;
  readonly #low: number;

  private constructor(process: Process, url: string, directory: string, low: number) {
    this.#process = process;
    this.#low = low;
    this.url = url;
    this.#directory = directory;
  }

  /** The first, or with 1 a second one beside it. */
  static async start(which: 0 | 1 = 0): Promise<Rtpengine> {
    const directory = await mkdtemp(join(tmpdir(), 'rtpengine-'));
    const url = `udp:127.0.0.1:${await freePort()}`;
    const low = firstPort + which * PORTS;
    const process = new Process({
      name: 'rtpengine',
      command: 'rtpengine',
      args: [
        ...['--config-file=none', '--foreground', '--table=-1', '--interface=127.0.0.1', '--log-stderr'],
        ...[`--listen-ng=${url.slice(4)}`, `--port-min=${low}`, `--port-max=${low + PORTS - 1}`],
        ...['--num-threads=2', `--pidfile=${join(directory, 'pid')}`],
      ],
      log: join(directory, 'rtpengine.log'),
      ready: async () => {
        await eventually(
          async () => (await ask(url, 'd7:command4:pinge')).includes('pong'),
          'rtpengine answers',
        );
      },
    });
    await process.start();
    return new Rtpengine(process, url, directory, low);
  }

  /** Whether it is the one that has this RTP port. */
  has(port: number): boolean {
    return port >= this.#low && port < this.#low + PORTS;
  }

  /** How many commands of this kind it obeyed: `offer`, `answer`, `delete`. */
  async commands(kind: string): Promise<number> {
    const answer = await ask(this.url, 'd7:command10:statisticse');
    const name = `${kind}count`;
    return Number(new RegExp(`${name.length}:${name}i(\\d+)e`).exec(answer)?.[1] ?? 0);
  }

  /** Ends it as a crash does: it says nothing, and its ports are free. */
  kill(): Promise<void> {
    return this.#process.kill();
  }

  async stop(): Promise<void> {
    await this.#process.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** One request of the ng protocol: a cookie, then a bencoded dictionary. */
async function ask(url: string, request: string): Promise<string> {
  const [, host = '', port = ''] = url.split(':');
  const socket = createSocket('udp4');
  try {
    const answer = once(socket, 'message', { signal: AbortSignal.timeout(300) });
    socket.send(`${randomBytes(4).toString('hex')} ${request}`, Number(port), host);
    const [data] = (await answer) as [Buffer];
    return data.toString('latin1');
  } finally {
    socket.close();
  }
}
