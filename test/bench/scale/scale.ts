import { eventually, type Process } from '@callmesh/local';
import { request } from 'undici';
import type { Benchmark, Contest, Sample, Setting, Side } from '../frame/benchmark.ts';
import { Histogram } from '../frame/histogram.ts';
import { packageVersions } from '../frame/machine.ts';
import { openLoop } from '../load/open-loop.ts';
import { LiveSessions } from '../stage/live-sessions.ts';
import { Platform } from '../stage/platform.ts';
import { heapOf, INSPECTED } from './heap.ts';

/** New ones a second: 100,000 of 180 s each. */
const PER_SECOND = 560;
/** Binds a second that are timed by themselves, beside those that policy makes. */
const BINDS_PER_SECOND = 20;
const SECONDS = 6;
const READY_MS = 60_000;
const RESTARTED = ['session-cache-1', 'state-1', 'policy-1'];

const side = (live: number) => `${live.toLocaleString('en')} sessions`;
const MOST = side(100_000);

export const scale: Benchmark = {
  name: 'scale',
  measures: `Platforms beside each other with so many live sessions of two legs each, 200 nodes, 100 tenants. First each service is started anew with all of them there, and its heap asked for (once); then ${PER_SECOND} calls a second begin and as many end, bound and confirmed as in production, each timed from when it was due.`,
  peer: 'itself with fewer sessions; nothing people use today keeps a session outside of the proxy that routed it.',
  limits: [
    { figure: 'heap a session, session-cache, KiB', side: MOST, atMost: 1.5 },
    { figure: 'heap a session, policy, KiB', side: MOST, atMost: 0.3 },
    { figure: 'answer p99, ms', side: MOST, over: side(1_000), atMost: 1.3 },
    ...RESTARTED.map((name) => ({ figure: `start of ${name}, s`, side: MOST, atMost: 10 })),
    { figure: 'failed', side: MOST, atMost: 0 },
    { figure: 'not bound', side: MOST, atMost: 0 },
  ],
  async open(setting) {
    const { quick, say } = setting;
    const options = process.env.NODE_OPTIONS;
    process.env.NODE_OPTIONS = `${options ?? ''} ${INSPECTED}`;
    const filled: Filled[] = [];
    const close = async () => {
      process.env.NODE_OPTIONS = options ?? '';
      for (const one of filled) await one.close();
    };
    try {
      for (const count of quick ? [200, 1_000] : [1_000, 10_000, 100_000]) {
        say(`scale: a platform with ${side(count)}`);
        filled.push(await Filled.open(count, setting));
      }
    } catch (error) {
      await close();
      throw error;
    }
    const sides = filled.map((one): [string, Side] => [side(one.count), () => one.sample()]);
    return {
      sides: Object.fromEntries(sides),
      versions: packageVersions('etcd-server', 'nats-server'),
      close,
    } satisfies Contest;
  },
};

/** A platform that carries so many sessions. */
class Filled {
  readonly count: number;
  readonly #platform: Platform;
  readonly #sessions: LiveSessions;
  readonly #seconds: number;
  #once: Sample = {};
  #runs = 0;

  private constructor(count: number, platform: Platform, sessions: LiveSessions, { quick }: Setting) {
    this.count = count;
    this.#platform = platform;
    this.#sessions = sessions;
    this.#seconds = quick ? 0.5 : SECONDS;
  }

  static async open(count: number, setting: Setting): Promise<Filled> {
    const platform = await Platform.start(
      setting.quick ? { tenants: 5, nodes: 10 } : { tenants: 100, nodes: 200 },
    );
    try {
      const sessions = await LiveSessions.open(platform);
      const filled = new Filled(count, platform, sessions, setting);
      await filled.#fill();
      return filled;
    } catch (error) {
      await platform.stop();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#sessions.close();
    await this.#platform.stop();
  }

  /** Time to start, and what the sessions add to a heap. */
  async #fill(): Promise<void> {
    const { mesh } = this.#platform;
    const holders = ['session-cache-1', 'policy-1'];
    const heaps = () => Promise.all(holders.map((name) => heapOf(mesh.service(name))));
    const before = await heaps();
    await this.#sessions.fill(this.count);
    const starts: [string, number][] = [];
    for (const name of RESTARTED)
      starts.push([`start of ${name}, s`, await this.#restart(mesh.service(name))]);
    const after = await heaps();
    const added = holders.map((name, at): [string, number] => [
      `heap a session, ${name.slice(0, -2)}, KiB`,
      (after[at]! - before[at]!) / 1_024 / this.count,
    ]);
    this.#once = Object.fromEntries([...added, ...starts]);
  }

  /** Seconds until it is well again and, if it counts sessions, has all of them. */
  async #restart(service: Process): Promise<number> {
    await service.stop();
    const started = performance.now();
    await service.start();
    await eventually(() => this.#isBack(service), `${service.name} is back`, READY_MS);
    return (performance.now() - started) / 1_000;
  }

  async #isBack({ name, ready }: Process): Promise<boolean> {
    const get = async (path: string) => (await fetch(`http://${ready.http}${path}`)).text();
    if (JSON.parse(await get('/health')).status !== 'ok') return false;
    if (name !== 'session-cache-1') return true;
    const counts = [...(await get('/metrics')).matchAll(/^callmesh_sessions\{[^}]*\} (\d+)/gm)];
    return counts.reduce((sum, [, count]) => sum + Number(count), 0) >= this.count;
  }

  async sample(): Promise<Sample> {
    const [answers, binds] = [new Histogram(), new Histogram()];
    const run = `${++this.#runs}`;
    const missed = { failed: 0, 'not bound': 0 };
    let n = 0;
    await Promise.all([
      openLoop(PER_SECOND, this.#seconds, async (due) => {
        const came = await this.#call(run, n++);
        if (came !== 'bound') missed[came] += 1;
        answers.record(performance.now() - due);
      }),
      openLoop(BINDS_PER_SECOND, this.#seconds, async (due) => {
        await this.#sessions.bind(this.#sessions.proposal()).catch(() => {
          missed.failed += 1;
        });
        binds.record(performance.now() - due);
      }),
    ]);
    return {
      'answer p50, ms': answers.percentile(50),
      'answer p99, ms': answers.percentile(99),
      'bind p50, ms': binds.percentile(50),
      'bind p99, ms': binds.percentile(99),
      ...missed,
      ...this.#once,
    };
  }

  /** A call comes, policy gives it to a node, and another ends. */
  async #call(run: string, n: number): Promise<'bound' | 'not bound' | 'failed'> {
    const { mesh } = this.#platform;
    const question = this.#platform.question(run, n);
    const answer = await request(`http://${mesh.service('policy-1').ready.api}/v1/routes/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${mesh.token}` },
      body: JSON.stringify(question),
    });
    const body = (await answer.body.json()) as {
      session_id: string;
      tenant: string;
      node: string;
      durable: boolean;
    };
    if (answer.statusCode !== 200) return 'failed';
    const callId = String(question.call_id);
    this.#sessions.replace({ sessionId: body.session_id, tenantId: body.tenant, callId }, body.node);
    return body.durable ? 'bound' : 'not bound';
  }
}
