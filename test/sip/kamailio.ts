import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, globSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { rpc } from './rpc.ts';

const repository = resolve(import.meta.dirname, '../..');
const moduleCache = join(repository, '.cache/kamailio-modules');

export type Knobs = Readonly<Record<string, string | number>>;

/** A real kama-pstn on free loopback ports, with its files in a folder of its own. */
export class Kamailio {
  readonly address = '127.0.0.1';
  readonly port: number;
  readonly metricsPort: number;
  readonly directory: string;
  #log = '';
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, directory: string, port: number, metricsPort: number) {
    this.#process = process;
    this.directory = directory;
    this.port = port;
    this.metricsPort = metricsPort;
    process.stderr?.on('data', (chunk: Buffer) => {
      this.#log = (this.#log + chunk.toString('utf8')).slice(-200_000);
    });
  }

  static async start(knobs: Knobs = {}): Promise<Kamailio> {
    buildModule();
    const directory = await mkdtemp(join(tmpdir(), 'kama-pstn-'));
    await mkdir(join(directory, 'rpc'), { mode: 0o700 });
    await writeFile(join(directory, 'dispatcher.list'), '');
    await writeFile(join(directory, 'address.list'), '');
    const port = await freePort();
    const metricsPort = await freePort();
    const config = join(directory, 'edge.cfg');
    await writeFile(config, localConfig(directory, port, metricsPort, knobs), { mode: 0o600 });
    const args = ['-DD', '-E', '-f', config, ...moduleArgs(), '-Y', directory, '-m', '64', '-M', '8'];
    const child = spawn('kamailio', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    const edge = new Kamailio(child, directory, port, metricsPort);
    try {
      await edge.#ready();
    } catch (error) {
      await edge.stop();
      throw error;
    }
    return edge;
  }

  get log(): string {
    return this.#log;
  }

  rpc(method: string, params: readonly unknown[] = []): Promise<unknown> {
    return rpc(join(this.directory, 'rpc'), method, params);
  }

  /** Makes these `ip:port` known as nodes that are up, or of another status. */
  async nodes(keys: readonly string[], status = 'up'): Promise<void> {
    for (const key of keys) await this.rpc('htable.sets', ['nodes', key, `${status}|node|epoch`]);
  }

  /** Tells the edge which policy instances there are, and closes every circuit. */
  async policies(urls: readonly string[]): Promise<void> {
    await this.rpc('htable.flush', ['policy']);
    await this.rpc('htable.flush', ['breaker']);
    for (const [i, url] of urls.entries()) await this.rpc('htable.sets', ['policy', String(i), url]);
    await this.rpc('htable.seti', ['policy', 'count', urls.length]);
  }

  /** Lines of the fallback list: dispatcher set, `ip:port`. */
  async fallbackNodes(sets: ReadonlyArray<readonly [set: number, node: string]>): Promise<void> {
    const lines = sets.map(([set, node], i) => `${set} sip:${node};transport=udp 0 0 node=node-${i}`);
    await this.#replace('dispatcher.list', lines);
    await this.rpc('dispatcher.reload');
  }

  /** Lines of the address file, see params/knobs.cfg. */
  async trunkAddresses(lines: readonly string[]): Promise<void> {
    await this.#replace('address.list', lines);
    await this.rpc('permissions.addressReload');
  }

  /** One counter of /metrics, 0 when it was never counted. Labels as written there: `{by="policy"}`. */
  async metric(name: string, labels = ''): Promise<number> {
    const response = await fetch(`http://127.0.0.1:${this.metricsPort}/metrics`);
    const line = (await response.text()).split('\n').find((l) => l.startsWith(`kamailio_${name}${labels} `));
    return line ? Number(line.split(' ')[1]) : 0;
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      this.#process.kill('SIGTERM');
      const kill = setTimeout(() => this.#process.kill('SIGKILL'), 5000);
      await once(this.#process, 'exit');
      clearTimeout(kill);
    }
    await rm(this.directory, { recursive: true, force: true });
  }

  async #ready(): Promise<void> {
    const deadline = Date.now() + 15_000;
    while (Date.now() < deadline) {
      if (this.#process.exitCode !== null) throw new Error(`kamailio did not start:\n${this.#log}`);
      const answer = await fetch(`http://127.0.0.1:${this.metricsPort}/health`).catch(() => undefined);
      if (answer?.ok && existsSync(join(this.directory, 'rpc/fifo'))) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`kamailio was not ready in time:\n${this.#log}`);
  }

  async #replace(file: string, lines: readonly string[]): Promise<void> {
    const path = join(this.directory, file);
    await writeFile(`${path}.new`, lines.map((line) => `${line}\n`).join(''));
    await rename(`${path}.new`, path);
  }
}

/** `kamailio -c` on a configuration with these knobs; returns what it printed when it refuses it. */
export async function checkConfig(knobs: Knobs = {}): Promise<string | undefined> {
  buildModule();
  const directory = await mkdtemp(join(tmpdir(), 'kama-pstn-'));
  try {
    const config = join(directory, 'edge.cfg');
    await writeFile(config, localConfig(directory, 5060, 9180, knobs));
    const result = spawnSync('kamailio', ['-c', '-f', config, ...moduleArgs(), '-Y', directory]);
    return result.status === 0 ? undefined : result.stderr.toString('utf8');
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** The local file of one instance; kamailio/params/knobs.cfg says what each name means. */
function localConfig(directory: string, port: number, metricsPort: number, knobs: Knobs): string {
  const defines: Record<string, string | number> = {
    EDGE_ID: '"kama-pstn-test"',
    SIP_LISTEN: `udp:127.0.0.1:${port}`,
    SIP_LISTEN_2: `tcp:127.0.0.1:${port}`,
    METRICS_LISTEN: `tcp:127.0.0.1:${metricsPort}`,
    METRICS_PORT: metricsPort,
    EDGE_SECRET: '"0123456789abcdef0123456789abcdef"',
    POLICY_TOKEN: '"token-of-the-test"',
    RPC_FIFO: `"${directory}/rpc/fifo"`,
    RPC_REPLY_DIR: `"${directory}/rpc/"`,
    DISPATCHER_LIST: `"${directory}/dispatcher.list"`,
    ADDRESS_LIST: `"${directory}/address.list"`,
    CHILDREN: 2,
    TCP_CHILDREN: 1,
    HTTP_WORKERS: 1,
    ...knobs,
  };
  const lines = Object.entries(defines).map(([name, value]) => `#!define ${name} ${value}`);
  return ['#!KAMAILIO', ...lines, `include_file "${repository}/kamailio/kama-pstn.cfg"`, ''].join('\n');
}

function moduleArgs(): string[] {
  const system = globSync('/usr/lib/*/kamailio/modules')[0];
  return ['-L', `${moduleCache}:${system}`];
}

function buildModule(): void {
  const script = join(repository, 'deploy/local/http-async-client.sh');
  const result = spawnSync('sh', [script, moduleCache]);
  if (result.status !== 0) throw new Error(`${result.stdout}${result.stderr}`);
}

/** A port free for UDP and TCP alike at this moment. */
export async function freePort(address = '127.0.0.1'): Promise<number> {
  for (;;) {
    const tcp = createServer().listen(0, address);
    await once(tcp, 'listening');
    const { port } = tcp.address() as AddressInfo;
    const udp = createSocket('udp4');
    const free = await new Promise<boolean>((resolve) => {
      udp.once('error', () => resolve(false));
      udp.bind(port, address, () => resolve(true));
    });
    udp.close();
    tcp.close();
    await once(tcp, 'close');
    if (free) return port;
  }
}
