import { seeded } from '../../../services/policy/test/support/rows.ts';
import type { Benchmark, Round, Sample, Side } from '../frame/benchmark.ts';
import { Histogram } from '../frame/histogram.ts';
import { packageVersions } from '../frame/machine.ts';
import { type Balancer, dispatchers, type SimulatedNode } from './balancer.ts';
import { calls } from './calls.ts';
import { Clock } from './clock.ts';
import { policies } from './mesh.ts';

const DOORS = 3;
const CAPACITIES = [600, 1_200, 1_800];
const MEAN_S = 180;
/** An INVITE from the decision to the node that counts it, from and to. */
const SETUP_MS = [5, 25] as const;
const SAMPLE_MS = 1_000;
/** Within this time as many calls begin as are live from then on. */
const FILL_MS = 30_000;

interface Scale {
  readonly nodes: number;
  readonly perSecond: number;
  readonly settleMs: number;
  readonly watchMs: number;
}

const FULL: Scale = { nodes: 200, perSecond: 560, settleMs: 90_000, watchMs: 90_000 };
const QUICK: Scale = { nodes: 20, perSecond: 56, settleMs: 40_000, watchMs: 20_000 };

type Make = (nodes: readonly SimulatedNode[], clock: Clock, random: () => number) => Balancer;

const callmesh =
  (strategy: string): Make =>
  (nodes, clock, random) =>
    policies(strategy, DOORS, nodes, clock, random);

const SIDES: Readonly<Record<string, Make>> = {
  lightest: callmesh('lightest'),
  'dispatcher, call load': (nodes) => dispatchers('call load', DOORS, nodes),
  'dispatcher, call load, all calls by one door': (nodes) => dispatchers('call load', 1, nodes),
  'dispatcher, round robin': (nodes) => dispatchers('round robin', DOORS, nodes),
  'dispatcher, hash of Call-ID': (nodes) => dispatchers('hash', DOORS, nodes),
  sequential: callmesh('sequential'),
  'weighted-random': callmesh('weighted-random'),
  random: callmesh('random'),
  hash: callmesh('hash'),
};

export const skew: Benchmark = {
  name: 'skew',
  measures:
    '200 nodes of 600, 1,200 and 1,800 channels; 560 calls a second by three doors (Poisson), 180 s each in the mean (lognormal, sigma 1). A minute of simulated time at 100,800 live calls to settle, then every second of 90 the share of its channels the fullest node has in use, over the share all nodes have in use. Decisions and counts are the code of policy, three instances that hear of each other 1 to 10 ms late.',
  peer: "the algorithms of Kamailio's dispatcher, modelled from their source and checked against the module; each of three doors counts by itself, and a node is listed as often as its capacity asks for.",
  simulated: true,
  limits: [{ figure: 'fullest / mean, p99', atMost: 1.02 }],
  async open({ quick }) {
    const scale = quick ? QUICK : FULL;
    const sides = Object.entries(SIDES).map(([name, make]): [string, Side] => [
      name,
      async (round) => simulate(make, scale, round),
    ]);
    return {
      sides: Object.fromEntries(sides),
      versions: packageVersions('kamailio'),
      close: async () => {},
    };
  },
};

/** The same arrivals for every side of a round. */
function simulate(make: Make, { nodes: count, perSecond, settleMs, watchMs }: Scale, round: Round): Sample {
  const clock = new Clock();
  const untilMs = settleMs + watchMs;
  const nodes = Array.from({ length: count }, (_, at) => ({
    ...{ id: `fs-${String(at).padStart(3, '0')}`, sessions: 0 },
    capacity: CAPACITIES[at % CAPACITIES.length]!,
  }));
  const chance = seeded(round.number + 2_000);
  const balancer = make(nodes, clock, chance);
  const coming = calls(
    { perSecond, meanS: MEAN_S, untilMs, doors: DOORS, random: seeded(round.number) },
    FILL_MS,
  );

  const next = () => {
    const { value: call } = coming.next();
    if (!call) return;
    clock.after(call.at - clock.now, () => {
      const node = balancer.select(call.callId, call.door);
      clock.after(SETUP_MS[0] + chance() * (SETUP_MS[1] - SETUP_MS[0]), () => {
        nodes[node]!.sessions += 1;
        balancer.began(node, call.callId);
        clock.after(call.lasts, () => {
          nodes[node]!.sessions -= 1;
          balancer.over(node, call.callId, call.door);
        });
      });
      next();
    });
  };
  next();
  clock.runUntil(settleMs);
  const skews = new Histogram(1_000_000);
  while (clock.now < untilMs) {
    clock.runUntil(clock.now + SAMPLE_MS);
    skews.record(skewOf(nodes));
  }
  return { 'fullest / mean, p50': skews.percentile(50), 'fullest / mean, p99': skews.percentile(99) };
}

function skewOf(nodes: readonly SimulatedNode[]): number {
  let [sessions, capacity, fullest] = [0, 0, 0];
  for (const node of nodes) {
    sessions += node.sessions;
    capacity += node.capacity;
    fullest = Math.max(fullest, node.sessions / node.capacity);
  }
  return fullest / (sessions / capacity);
}
