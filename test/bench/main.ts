import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '@callmesh/local';
import { Argument, Command } from 'commander';
import { benchmarks } from './benchmarks.ts';
import type { Benchmark } from './frame/benchmark.ts';
import { withFigures } from './frame/document.ts';
import { machine } from './frame/machine.ts';
import { asMarkdown, asText, type Report, reportOf } from './frame/report.ts';
import { run } from './frame/rounds.ts';

const DOCUMENT = join(ROOT, 'docs/benchmarks.md');

interface Options {
  readonly json: boolean;
  readonly check: boolean;
  readonly update: boolean;
  readonly quick: boolean;
}

const program = new Command('bench')
  .description('Measures callmesh beside what people use today.')
  .addArgument(new Argument('<name>', 'which').choices(['all', ...benchmarks.map(({ name }) => name)]))
  .option('--json', 'print JSON, one object a line', false)
  .option('--check', 'exit with 1 unless every limit holds', false)
  .option('--update', 'write the figures into docs/benchmarks.md', false)
  .option('--quick', 'only see that it works: short, no verdict', false)
  .option('--profile', 'leave CPU profiles of every Node process in .state/profiles')
  .action(async (name: string, options: Options) => {
    if (options.quick && (options.check || options.update))
      program.error('error: a quick run shows nothing: --quick goes with neither --check nor --update');
    let held = true;
    for (const benchmark of benchmarks.filter((one) => name === 'all' || one.name === name)) {
      const report = await measure(benchmark, options);
      held &&= report.verdicts.every(({ holds }) => holds);
    }
    if (options.check && !held) process.exitCode = 1;
  });

async function measure(benchmark: Benchmark, { json, update, quick }: Options): Promise<Report> {
  const on = machine();
  const say = (what: string) => console.error(`\u2022 ${what}`);
  const report = reportOf(benchmark, await run(benchmark, { quick, say }), on, quick);
  console.log(json ? JSON.stringify(report) : `${asText(report)}\n`);
  if (update)
    writeFileSync(DOCUMENT, withFigures(readFileSync(DOCUMENT, 'utf8'), benchmark.name, asMarkdown(report)));
  return report;
}

await program.parseAsync();
