import { Pool } from 'undici';
import { Histogram } from '../frame/histogram.ts';

export interface HttpLoad {
  /** "http://host:port" of each server; requests take turns. */
  readonly origins: readonly string[];
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly seconds: number;
  /** So many requests are due in a second, evenly; or, to find out how many can be done, so many are under way always. */
  readonly pace: { readonly perSecond: number } | { readonly inFlight: number };
}

export interface HttpOutcome {
  readonly perSecond: number;
  readonly failed: number;
  /** Milliseconds since a request was due. */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

/** Kamailio's workers keep about as many connections. */
const CONNECTIONS = 64;
/** Requests that are due are sent this often, milliseconds. */
const TICK_MS = 1;

/** Sends requests for a while, and tells how long each took from when it was due: one that had to wait to be sent has waited. */
export async function httpLoad(load: HttpLoad, body: (n: number) => string): Promise<HttpOutcome> {
  const pools = load.origins.map((origin) => new Pool(origin, { connections: CONNECTIONS }));
  const times = new Histogram();
  let [sent, failed] = [0, 0];
  const send = async (due: number) => {
    const n = sent++;
    const { path, headers } = load;
    const pool = pools[n % pools.length]!;
    try {
      const answer = await pool.request({ method: 'POST', path, headers, body: body(n) });
      await answer.body.dump();
      if (answer.statusCode !== 200) failed += 1;
    } catch {
      failed += 1;
    }
    times.record(performance.now() - due);
  };
  const started = performance.now();
  const end = started + load.seconds * 1_000;
  if ('inFlight' in load.pace) await saturate(load.pace.inFlight, end, send);
  else await offer(load.pace.perSecond, started, end, send);
  const seconds = (performance.now() - started) / 1_000;
  await Promise.all(pools.map((pool) => pool.close()));
  const at = (percent: number) => times.percentile(percent);
  return { perSecond: (sent - failed) / seconds, failed, p50: at(50), p99: at(99), p999: at(99.9) };
}

async function saturate(inFlight: number, end: number, send: (due: number) => Promise<void>): Promise<void> {
  const lane = async () => {
    for (let now = performance.now(); now < end; now = performance.now()) await send(now);
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
}

/** Arrivals do not wait for answers. */
async function offer(
  perSecond: number,
  started: number,
  end: number,
  send: (due: number) => Promise<void>,
): Promise<void> {
  const open = new Set<Promise<void>>();
  const gap = 1_000 / perSecond;
  let due = started;
  while (due < end) {
    for (const now = performance.now(); due <= now && due < end; due += gap) {
      const one = send(due);
      open.add(one);
      void one.then(() => open.delete(one));
    }
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  await Promise.all(open);
}
