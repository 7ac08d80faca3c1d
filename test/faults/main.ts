// What breaks beside the calls, one row each: what of them was lost, which must be nothing.
import { Command, InvalidArgumentError } from 'commander';
import { mediaNodes, tenants, World } from '../mesh/world.ts';
import { ACCIDENTS } from './accidents.ts';
import { measure, type Row } from './row.ts';

interface Options {
  readonly check: boolean;
  readonly json: boolean;
  readonly only: string;
  readonly established: number;
  readonly rate: number;
  readonly away: number;
}

const whole = (text: string) => {
  if (!/^[1-9]\d{0,4}$/.test(text)) throw new InvalidArgumentError('expected a whole number above 0');
  return Number(text);
};

await new Command('faults')
  .description('Breaks parts of a mesh under calls, and counts what of them is lost.')
  .option('--check', 'exit with 1 unless nothing is lost', false)
  .option('--json', 'print JSON, one object a line', false)
  .option('--only <text>', 'accidents that have this in their name', '')
  .option('--established <n>', 'calls that live meanwhile', whole, 500)
  .option('--rate <n>', 'new calls a second', whole, 20)
  .option('--away <seconds>', 'how long what is broken stays so', whole, 20)
  .action(run)
  .parseAsync();

async function run({ check, json, only, established, rate, away }: Options): Promise<void> {
  const [tenant] = tenants(1, ['red'], 5) as [ReturnType<typeof tenants>[0]];
  const world = await World.start([tenant], { nodes: mediaNodes('red', 3), replicas: { policy: 2 } });
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void world.stop().finally(() => process.exit(1)));
  const load = { established, rate, seconds: away + 4, from: 1.5, to: 1.5 + away };
  try {
    for (const accident of ACCIDENTS.filter(({ name }) => name.includes(only))) {
      const row = await measure(world, tenant, accident, load);
      console.log(json ? JSON.stringify(row) : asText(row));
      if (check && row.broken.length > 0) process.exitCode = 1;
    }
  } finally {
    await world.stop();
  }
}

function asText({ accident, established, dropped, placed, refused, setupP95, broken }: Row): string {
  const figures = `${dropped}/${established} dropped, ${refused}/${placed} refused, setup p95 ${setupP95.toFixed(0)} ms`;
  return `${broken.length > 0 ? 'BROKEN' : 'holds '}  ${figures}  ${accident}`;
}
