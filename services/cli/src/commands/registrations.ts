import { type Registration, SessionCacheServiceClient } from '@callmesh/proto/session';
import { Command } from 'commander';
import { ask } from '../connection.ts';
import { inContext } from '../context.ts';
import { type Columns, printRows } from '../output.ts';
import { limitOf, span } from '../words.ts';

const COLUMNS: Columns<Registration> = {
  aor: ({ aor }) => aor,
  contact: ({ contact }) => contact,
  edge: ({ edgeId }) => edgeId || '-',
  router: ({ routerId }) => routerId,
  expires: ({ expiresAt }) => (expiresAt ? `in ${span(expiresAt.getTime() - Date.now())}` : '-'),
  'user agent': ({ userAgent }) => userAgent || '-',
};

interface Filter {
  readonly tenant: string;
  readonly edge: string;
  readonly router: string;
  readonly limit: string;
}

export function registrationsCommand(): Command {
  return new Command('registrations')
    .description('which agent is registered where')
    .option('--tenant <tenant>', 'only of this tenant', '')
    .option('--edge <edge>', 'only through this edge', '')
    .option('--router <node>', 'only on this fs-router', '')
    .option('--limit <count>', 'at most so many, up to 1000', '100')
    .action(({ tenant, edge, router, limit }: Filter, command: Command) =>
      inContext(command, async ({ connection, format }) => {
        const cache = await connection.client(SessionCacheServiceClient, 'session-cache');
        const { registrations, nextPageToken } = await ask(connection, cache, 'listRegistrations', {
          tenantId: tenant,
          edgeId: edge,
          routerId: router,
          pageSize: limitOf(limit),
          pageToken: '',
        });
        printRows(registrations, COLUMNS, format);
        if (nextPageToken) process.stderr.write('there are more (--limit)\n');
      }),
    );
}
