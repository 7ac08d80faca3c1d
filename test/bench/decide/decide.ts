import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, Process } from '@callmesh/local';
import type { Benchmark, Contest, Sample, Setting, Side } from '../frame/benchmark.ts';
import { packageVersions } from '../frame/machine.ts';
import { type HttpLoad, httpLoad } from '../load/http.ts';
import { Platform } from '../stage/platform.ts';

const PATH = '/v1/routes/session';
/** Of a burst Kamailio has about so many questions under way. */
const IN_FLIGHT = 64;
const SECONDS = 4;
const BOUND = '"durable":true';
const PEER = 'plain fastify';

const FULL = { tenants: 1_000, nodes: 200 };
const QUICK = { tenants: 20, nodes: 20 };

function decideWith(name: string, instances: number, limits: Benchmark['limits']): Benchmark {
  const policies = instances === 1 ? 'one policy instance' : `${instances} policy instances`;
  return {
    name,
    measures: `Questions of an edge for new calls to ${policies}, 200 nodes in one group, 1,000 tenants; bindings made in session-cache and NATS, metrics, authentication and log on. First as many as it can with ${IN_FLIGHT} under way, then half as many a second as that, each timed from when it was due.`,
    peer: 'plain fastify, which parses the same question and answers a constant of the same size; the most a decision over HTTP could be.',
    limits,
    open: (setting) => open(instances, setting),
  };
}

/** An answer without a binding is quicker, and no use when its node dies. */
const COMPLETE: Benchmark['limits'] = [
  { figure: 'failed', atMost: 0 },
  { figure: 'not bound', atMost: 0 },
];

export const decide = decideWith('decide', 1, [
  { figure: 'answers/s', over: PEER, atLeast: 0.6 },
  { figure: 'p99 at half, ms', atMost: 5 },
  ...COMPLETE,
]);
/** On a machine of two cores it shows what three cost each other, and not what three can do. */
export const decide3 = decideWith('decide-3', 3, COMPLETE);

async function open(instances: number, { quick }: Setting): Promise<Contest> {
  const platform = await Platform.start({
    ...(quick ? QUICK : FULL),
    replicas: { policy: instances },
  });
  const { mesh } = platform;
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${mesh.token}` };
  const origins = Array.from(
    { length: instances },
    (_, at) => `http://${mesh.service(`policy-${at + 1}`).ready.api}`,
  );
  let runs = 0;
  const side = (origins: readonly string[]): Side => {
    const load = (pace: HttpLoad['pace']) => {
      const run = `${++runs}`;
      return httpLoad(
        { origins, path: PATH, headers, whole: BOUND, seconds: quick ? 0.5 : SECONDS, pace },
        (n) => JSON.stringify(platform.question(run, n)),
      );
    };
    return () => sampleOf(load);
  };
  const first = await fetch(`${origins[0]}${PATH}`, {
    ...{ method: 'POST', headers, body: JSON.stringify(platform.question('first', 0)) },
  });
  const answer = await first.text();
  if (!first.ok || !answer.includes(BOUND)) throw new Error(`policy does not bind: ${answer}`);
  const constant = await constantServer(mesh.dir, answer);
  return {
    sides: {
      [instances === 1 ? 'policy' : `${instances} policies`]: side(origins),
      [PEER]: side([constant.origin]),
    },
    versions: { fastify: versionOf('fastify'), ...packageVersions('etcd-server', 'nats-server') },
    async close() {
      await constant.process.stop();
      await platform.stop();
    },
  };
}

async function sampleOf(load: (pace: HttpLoad['pace']) => ReturnType<typeof httpLoad>): Promise<Sample> {
  const most = await load({ inFlight: IN_FLIGHT });
  const half = await load({ perSecond: most.perSecond / 2 });
  return {
    'answers/s': most.perSecond,
    'p50 at half, ms': half.p50,
    'p99 at half, ms': half.p99,
    'p99.9 at half, ms': half.p999,
    failed: most.failed + half.failed,
    'not bound': most.lacking + half.lacking,
  };
}

async function constantServer(dir: string, answer: string) {
  const file = join(dir, 'constant.json');
  writeFileSync(file, answer);
  const port = await freePort();
  const process_ = new Process({
    name: 'constant',
    command: process.execPath,
    args: [join(import.meta.dirname, 'constant.ts'), String(port), file],
    log: join(dir, 'constant.log'),
  });
  await process_.start();
  return { process: process_, origin: `http://127.0.0.1:${port}` };
}

function versionOf(name: string): string {
  const file = join(import.meta.dirname, '../../node_modules', name, 'package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
