import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@callmesh/local';

export interface SippOptions {
  readonly to: { readonly address: string; readonly port: number };
  /** Local address; the PBX's in most tests. */
  readonly from: string;
  readonly calls: number;
  /** Calls per second. */
  readonly rate: number;
  readonly number?: string;
}

export interface SippResult {
  readonly successful: number;
  readonly failed: number;
  /** Retransmissions sipp sent: a call that paid a timeout shows here. */
  readonly retransmissions: number;
}

/** Places calls with sipp's statistics switched on, and counts them when all are over. */
export async function sipp(options: SippOptions): Promise<SippResult> {
  const folder = await mkdtemp(join(tmpdir(), 'sipp-'));
  const statistics = join(folder, 'statistics.csv');
  const args = [
    `${options.to.address}:${options.to.port}`,
    ...['-sf', join(import.meta.dirname, 'scenarios/pbx.xml')],
    ...['-i', options.from, '-p', String(await freePort())],
    ...[
      '-s',
      options.number ?? '4930123456',
      '-r',
      String(options.rate),
      '-m',
      String(options.calls),
      '-d',
      '100',
    ],
    ...['-trace_stat', '-stf', statistics, '-nostdin', '-timeout', '60', '-recv_timeout', '10000'],
  ];
  const child = spawn('sipp', args, { cwd: folder, stdio: 'ignore', env: { ...process.env, TERM: 'dumb' } });
  try {
    await once(child, 'exit');
    return readStatistics(await readFile(statistics, 'utf8'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function readStatistics(csv: string): SippResult {
  const [names = '', ...rows] = csv.trim().split('\n');
  const columns = names.split(';');
  const last = (rows.at(-1) ?? '').split(';');
  const value = (name: string) => Number(last[columns.indexOf(name)]);
  return {
    successful: value('SuccessfulCall(C)'),
    failed: value('FailedCall(C)'),
    retransmissions: value('Retransmissions(C)'),
  };
}
