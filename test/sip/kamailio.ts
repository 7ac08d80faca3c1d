import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Edge, type EdgeRole, eventually, freePort, kamailioEdge, ROOT } from '@callmesh/local';
import { rpc } from './rpc.ts';

/** Further `#!define`s of the local file; kamailio/params/knobs.cfg says what each means. */
export type Knobs = Readonly<Record<string, string>>;

/** What the edge says to policy. */
export const token = 'token-of-the-test';

/** A real edge on free loopback ports, fed by the test where a node-agent would. */
export class Kamailio {
  readonly address = '127.0.0.1';
  readonly #edge: Edge;
  readonly #directory: string;

  /** Where agents reach kama-wss; 0 for kama-pstn. */
  readonly agentPort: number;

  private constructor(edge: Edge, directory: string, agentPort: number) {
    this.#edge = edge;
    this.#directory = directory;
    this.agentPort = agentPort;
  }

  static async start(knobs: Knobs = {}, role: EdgeRole = 'kama-pstn'): Promise<Kamailio> {
    const directory = await mkdtemp(join(tmpdir(), `${role}-`));
    const agentPort = role === 'kama-wss' ? await freePort() : 0;
    const edge = new Kamailio(await prepare(directory, knobs, role, agentPort), directory, agentPort);
    try {
      await edge.begin();
    } catch (error) {
      await edge.stop();
      throw error;
    }
    return edge;
  }

  /** Starts it, for the first time or again: what it was fed is gone then. */
  async begin(): Promise<void> {
    await this.#edge.process.start();
    await eventually(async () => (await fetch(`${this.metricsUrl}/health`)).ok, 'the edge is healthy');
  }

  /** Ends it at once, as a crash does. */
  kill(): Promise<void> {
    return this.#edge.process.kill();
  }

  get port(): number {
    return this.#edge.sipPort;
  }

  get metricsUrl(): string {
    return `http://127.0.0.1:${this.#edge.metricsPort}`;
  }

  /** All it logged. */
  log(): Promise<string> {
    return readFile(this.#edge.process.spec.log, 'utf8');
  }

  rpc(method: string, params: readonly unknown[] = []): Promise<unknown> {
    return rpc(this.#edge.replyDir, method, params);
  }

  /** Makes these `ip:port` known as nodes that are up, or of another status. */
  async nodes(keys: readonly string[], status = 'up'): Promise<void> {
    for (const key of keys)
      await this.rpc('htable.sets', ['nodes', key, `${status}|node-${key.replace(/.*:/, '')}|epoch`]);
  }

  /** Tells the edge which policy instances there are, and closes every circuit. */
  async policies(urls: readonly string[]): Promise<void> {
    await this.rpc('htable.flush', ['policy']);
    await this.rpc('htable.flush', ['breaker']);
    for (const [i, url] of urls.entries()) await this.rpc('htable.sets', ['policy', String(i), url]);
    await this.rpc('htable.seti', ['policy', 'count', urls.length]);
  }

  /** The fallback list: dispatcher set and `ip:port` of each node. */
  async fallbackNodes(sets: ReadonlyArray<readonly [set: number, node: string]>): Promise<void> {
    const lines = sets.map(([set, node], i) => `${set} sip:${node};transport=udp 0 0 node=node-${i}`);
    await replace(this.#edge.dispatcherList, lines);
    await this.rpc('dispatcher.reload');
  }

  /** Lines of the address file, see kamailio/params/knobs.cfg. */
  async trunkAddresses(lines: readonly string[]): Promise<void> {
    await replace(this.#edge.addressList, lines);
    await this.rpc('permissions.addressReload');
  }

  /** One counter of /metrics, 0 when it was never counted. Labels as written there: `{by="policy"}`. */
  async metric(name: string, labels = ''): Promise<number> {
    const text = await (await fetch(`${this.metricsUrl}/metrics`)).text();
    const line = text.split('\n').find((l) => l.startsWith(`kamailio_${name}${labels} `));
    return line ? Number(line.split(' ')[1]) : 0;
  }

  async stop(): Promise<void> {
    await this.#edge.process.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** `kamailio -c` on a configuration with these knobs; what it printed when it refuses it. */
export async function checkConfig(
  knobs: Knobs = {},
  role: EdgeRole = 'kama-pstn',
): Promise<string | undefined> {
  const directory = await mkdtemp(join(tmpdir(), `${role}-`));
  try {
    const { process } = await prepare(directory, knobs, role, await freePort());
    const result = spawnSync(process.spec.command, ['-c', ...process.spec.args]);
    return result.status === 0 ? undefined : result.stderr.toString('utf8');
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function prepare(directory: string, knobs: Knobs, role: EdgeRole, agentPort: number): Promise<Edge> {
  buildModule();
  const few = { CHILDREN: '2', TCP_CHILDREN: '1', HTTP_WORKERS: '1' };
  const sipPort = await freePort();
  const defines = { ...few, ...knobs };
  return kamailioEdge({ id: `${role}-test`, dir: directory, role, sipPort, agentPort, token, defines });
}

/** Debian's Kamailio lacks one module; the script does nothing when it is there already. */
function buildModule(): void {
  const script = join(ROOT, 'deploy/local/http-async-client.sh');
  const result = spawnSync('sh', [script, join(ROOT, '.cache/kamailio-modules')]);
  if (result.status !== 0) throw new Error(`${result.stdout}${result.stderr}`);
}

async function replace(path: string, lines: readonly string[]): Promise<void> {
  await writeFile(`${path}.new`, lines.map((line) => `${line}\n`).join(''));
  await rename(`${path}.new`, path);
}
