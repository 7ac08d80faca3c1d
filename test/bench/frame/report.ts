import Table from 'cli-table3';
import type { Benchmark, Limit } from './benchmark.ts';
import { type Row, rowsOf, type Spread, type Verdict, verdictsOf } from './judge.ts';
import { commit, type Machine } from './machine.ts';
import type { Run } from './rounds.ts';

/** All that is told of a benchmark that has run. */
export interface Report {
  readonly benchmark: string;
  readonly measures: string;
  readonly peer: string;
  readonly at: string;
  readonly commit: string;
  readonly machine: Machine;
  readonly versions: Readonly<Record<string, string>>;
  readonly rounds: number;
  readonly rows: readonly Row[];
  /** Empty of a quick run: it was too short to judge by. */
  readonly verdicts: readonly Verdict[];
}

export function reportOf(
  benchmark: Benchmark,
  { samples, versions }: Run,
  on: Machine,
  quick: boolean,
): Report {
  const { name, measures, peer } = benchmark;
  return {
    ...{ benchmark: name, measures, peer, at: new Date().toISOString(), commit: commit(), machine: on },
    versions: { node: process.versions.node, ...versions },
    rounds: Math.max(...[...samples.values()].map((all) => all.length)),
    rows: rowsOf(samples),
    verdicts: quick ? [] : verdictsOf(benchmark, samples),
  };
}

export function asText(report: Report): string {
  const table = new Table({ head: HEAD, style: { head: [], border: [] }, chars: NO_LINES });
  for (const row of report.rows) table.push(cells(row));
  const verdicts = report.verdicts.map(
    (verdict) => `${verdict.holds ? 'holds ' : 'MISSED'} ${verdictText(verdict)}`,
  );
  return [
    `${report.benchmark}: ${report.measures}`,
    `Peer: ${report.peer}`,
    table,
    ...verdicts,
    about(report),
  ]
    .map(String)
    .join('\n');
}

export function asMarkdown(report: Report): string {
  const lines = [HEAD, HEAD.map(() => '---'), ...report.rows.map(cells)];
  const table = lines.map((line) => `| ${line.join(' | ')} |`).join('\n');
  const verdicts = report.verdicts
    .map((verdict) => `- ${verdict.holds ? 'holds' : '**missed**'}: ${verdictText(verdict)}`)
    .join('\n');
  return [report.measures, `Peer: ${report.peer}`, table, verdicts, `${about(report)}.`]
    .filter((part) => part !== '')
    .join('\n\n');
}

/** Between rows. */
const NO_LINES = { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' };
const HEAD = ['figure', 'side', 'median', 'least to most', 'callmesh / it'];

function cells({ figure, side, value, ratio }: Row): string[] {
  return [figure, side, short(value.median), range(value), ratio ? short(ratio.median) : ''];
}

function range({ least, most }: Spread): string {
  return `${short(least)} to ${short(most)}`;
}

function verdictText({ limit, side, value }: Verdict): string {
  return `${limit.figure} of ${side}${limit.over ? ` / ${limit.over}` : ''}: ${short(value)}, ${bound(limit)}`;
}

function bound({ atMost, atLeast }: Limit): string {
  return atMost !== undefined ? `at most ${atMost}` : `at least ${atLeast}`;
}

function about({ machine, versions, rounds, commit, at }: Report): string {
  const { processor, cores, memoryGiB, kernel, loadBefore } = machine;
  const parts = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${at.slice(0, 10)}, ${commit}, rounds: ${rounds}; ${processor}, ${cores} cores, ${memoryGiB} GiB, Linux ${kernel}, load ${loadBefore.toFixed(1)} before; ${parts.join(', ')}`;
}

/** Three digits that count; whole above a thousand. */
function short(value: number): string {
  if (!Number.isFinite(value)) return 'not measured';
  if (Math.abs(value) >= 1_000) return Math.round(value).toLocaleString('en');
  return String(Number(value.toPrecision(Math.abs(value) >= 1 ? 4 : 3)));
}
