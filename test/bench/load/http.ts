import { Pool } from 'undici';
import { Histogram } from '../frame/histogram.ts';
import { openLoop } from './open-loop.ts';

export interface HttpLoad {
  /** "http://host:port" of each server; requests take turns. */
  readonly origins: readonly string[];
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly seconds: number;
  /** What an answer has to contain to be whole. */
  readonly whole: string;
  /** So many requests are due in a second, evenly; or, to find out how many can be done, so many are under way always. */
  readonly pace: { readonly perSecond: number } | { readonly inFlight: number };
}

export interface HttpOutcome {
  readonly perSecond: number;
  readonly failed: number;
  /** Answers that lack what makes them whole. */
  readonly lacking: number;
  /** Milliseconds since a request was due. */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

/** Kamailio's workers keep about as many connections. */
const CONNECTIONS = 64;

/** Sends requests for a while, and tells how long each took from when it was due: one that had to wait to be sent has waited. */
export async function httpLoad(load: HttpLoad, body: (n: number) => string): Promise<HttpOutcome> {
  const pools = load.origins.map((origin) => new Pool(origin, { connections: CONNECTIONS }));
  const times = new Histogram();
  let [sent, failed, lacking] = [0, 0, 0];
  const send = async (due: number) => {
    const n = sent++;
    const { path, headers } = load;
    const pool = pools[n % pools.length]!;
    try {
      const answer = await pool.request({ method: 'POST', path, headers, body: body(n) });
      const text = await answer.body.text();
      if (answer.statusCode !== 200) failed += 1;
      else if (!text.includes(load.whole)) lacking += 1;
    } catch {
      failed += 1;
    }
    times.record(performance.now() - due);
  };
  const started = performance.now();
  const end = started + load.seconds * 1_000;
  if ('inFlight' in load.pace) await saturate(load.pace.inFlight, end, send);
  else await openLoop(load.pace.perSecond, load.seconds, send);
  const seconds = (performance.now() - started) / 1_000;
  await Promise.all(pools.map((pool) => pool.close()));
  const at = (percent: number) => times.percentile(percent);
  return { perSecond: (sent - failed) / seconds, failed, lacking, p50: at(50), p99: at(99), p999: at(99.9) };
}

async function saturate(inFlight: number, end: number, send: (due: number) => Promise<void>): Promise<void> {
  const lane = async () => {
    for (let now = performance.now(); now < end; now = performance.now()) await send(now);
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
}
