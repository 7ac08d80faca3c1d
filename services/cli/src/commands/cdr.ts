import { CdrServiceClient, Disposition, type SessionRecord } from '@callmesh/proto/cdr';
import { fail } from '@callmesh/runtime';
import { Command } from 'commander';
import { ask } from '../connection.ts';
import { inContext } from '../context.ts';
import { type Columns, printRows } from '../output.ts';
import { limitOf, span, word } from '../words.ts';

const COLUMNS: Columns<SessionRecord> = {
  started: ({ startedAt }) => startedAt?.toISOString() ?? '-',
  session: ({ sessionId }) => sessionId,
  tenant: ({ tenantId }) => tenantId,
  caller: ({ caller }) => caller,
  callee: ({ callee }) => callee,
  outcome: ({ disposition }) => word(disposition, 'DISPOSITION'),
  talk: ({ talkMs }) => span(Number(talkMs)),
  cause: ({ hangupCause }) => hangupCause,
  'ended by': ({ endedBy }) => endedBy || '-',
  nodes: ({ nodeIds }) => nodeIds.join(' -> '),
  mos: ({ worstMos }) => (worstMos ? worstMos.toFixed(2) : '-'),
};

interface Filter {
  readonly tenant: string;
  readonly from?: string;
  readonly until?: string;
  readonly party: string;
  readonly outcome?: string;
  readonly limit: string;
}

export function cdrCommand(): Command {
  return new Command('cdr')
    .description('call detail records, newest first')
    .option('--tenant <tenant>', 'whose; "*" for all', '*')
    .option('--from <time>', 'began at or after (ISO 8601)')
    .option('--until <time>', 'began before (ISO 8601)')
    .option('--party <number>', 'with this number or user on either side', '')
    .option('--outcome <outcome>', 'answered, busy, no-answer, cancelled or failed')
    .option('--limit <count>', 'at most so many, up to 1000', '100')
    .action((filter: Filter, command: Command) =>
      inContext(command, async ({ connection, format }) => {
        const cdr = await connection.client(CdrServiceClient, 'call-control');
        const { sessions, nextPageToken } = await ask(connection, cdr, 'listSessions', {
          tenantId: filter.tenant,
          from: time('--from', filter.from),
          until: time('--until', filter.until),
          party: filter.party,
          disposition: dispositionOf(filter.outcome),
          pageSize: limitOf(filter.limit),
          pageToken: '',
        });
        printRows(sessions, COLUMNS, format);
        if (nextPageToken) process.stderr.write('there are more (--limit, --from, --until)\n');
      }),
    );
}

function time(option: string, value: string | undefined): Date | undefined {
  if (value === undefined) return undefined;
  const at = new Date(value);
  if (Number.isNaN(at.getTime()))
    throw fail('invalid_argument', `${option}: expected a time such as 2026-01-31T08:00:00Z`);
  return at;
}

function dispositionOf(outcome: string | undefined): Disposition {
  if (outcome === undefined) return Disposition.DISPOSITION_UNSPECIFIED;
  const value = `DISPOSITION_${outcome.toUpperCase().replaceAll('-', '_')}`;
  if (value === Disposition.DISPOSITION_UNSPECIFIED || !(value in Disposition))
    throw fail('invalid_argument', '--outcome: expected answered, busy, no-answer, cancelled or failed');
  return value as Disposition;
}
