import type { Benchmark, Contest, Sample, Setting } from './benchmark.ts';

/** At least so many pairs make a verdict. */
const ROUNDS = 5;

/** Every side's samples, one a round. */
export type Samples = ReadonlyMap<string, readonly Sample[]>;

export interface Run {
  readonly samples: Samples;
  readonly versions: Contest['versions'];
}

/** Measures the sides in turn, A B A B, after a warm-up of each that does not count: what the machine does meanwhile meets all of them. */
export async function run(benchmark: Benchmark, setting: Setting): Promise<Run> {
  const { quick, say } = setting;
  say(`${benchmark.name}: preparing`);
  const contest = await benchmark.open(setting);
  try {
    const sides = Object.entries(contest.sides);
    const samples = new Map(sides.map(([name]) => [name, [] as Sample[]]));
    const rounds = quick ? 1 : ROUNDS;
    for (let number = quick || benchmark.simulated ? 0 : -1; number < rounds; number += 1) {
      for (const [name, side] of sides) {
        say(`${benchmark.name}: ${name}, ${number < 0 ? 'warm-up' : `round ${number + 1} of ${rounds}`}`);
        const sample = await side({ number });
        if (number >= 0) samples.get(name)!.push(sample);
      }
    }
    return { samples, versions: contest.versions };
  } finally {
    await contest.close();
  }
}
