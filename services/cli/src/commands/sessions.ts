import { CdrServiceClient } from '@callmesh/proto/cdr';
import { CallControlServiceClient } from '@callmesh/proto/control';
import { type Binding, SessionCacheServiceClient } from '@callmesh/proto/session';
import { CallmeshError, fail, serverStream } from '@callmesh/runtime';
import { Command } from 'commander';
import { ask, type Connection } from '../connection.ts';
import { inContext } from '../context.ts';
import { type Columns, printOne, printRows } from '../output.ts';
import { ago, roleWord, word } from '../words.ts';

const SESSION_ID = /^[0-9a-f]{16}$/;
const PAGE = 1000;

const COLUMNS: Columns<Binding> = {
  session: ({ sessionId }) => sessionId,
  tenant: ({ tenantId }) => tenantId,
  function: (binding) => word(binding.function, 'FUNCTION'),
  node: ({ nodeId }) => nodeId,
  role: ({ role }) => roleWord(role),
  group: ({ groupId }) => groupId || '-',
  state: ({ state }) => word(state, 'BINDING_STATE'),
  age: ({ createdAt }) => ago(createdAt),
  'call-id': ({ callId }) => callId,
};

interface Filter {
  readonly tenant: string;
  readonly node: string;
  readonly limit: string;
  readonly follow?: boolean;
}

export function sessionsCommand(): Command {
  return new Command('sessions')
    .description('live sessions and the nodes they live on')
    .option('--tenant <tenant>', 'only of this tenant', '')
    .option('--node <node>', 'only on this node', '')
    .option('--limit <count>', 'at most so many', '100')
    .option('-f, --follow', 'go on with each that begins, moves or ends')
    .action((filter: Filter, command: Command) =>
      inContext(command, async ({ connection, format, signal }) => {
        if (filter.follow) return follow(connection, filter, signal);
        const { bindings, total } = await list(connection, filter);
        printRows(bindings, COLUMNS, format);
        if (total > bindings.length) process.stderr.write(`${bindings.length} of ${total} shown (--limit)\n`);
      }),
    );
}

async function list(connection: Connection, { tenant, node, limit }: Filter) {
  const wanted = Number(limit);
  if (!Number.isInteger(wanted) || wanted < 1)
    throw fail('invalid_argument', '--limit: expected a whole number above 0');
  const cache = await connection.client(SessionCacheServiceClient, 'session-cache');
  const bindings: Binding[] = [];
  for (let pageToken = ''; ; ) {
    const page = await ask(connection, cache, 'list', {
      tenantId: tenant,
      nodeId: node,
      pageSize: Math.min(PAGE, wanted - bindings.length),
      pageToken,
    });
    bindings.push(...page.bindings);
    pageToken = page.nextPageToken;
    if (!pageToken || bindings.length >= wanted) return { bindings, total: page.total };
  }
}

/** One line per change, until interrupted. */
async function follow(connection: Connection, { tenant, node }: Filter, signal: AbortSignal): Promise<void> {
  const cache = await connection.client(SessionCacheServiceClient, 'session-cache');
  for await (const { event } of serverStream(cache, 'watch', { tenantId: tenant }, { signal })) {
    if (event?.$case !== 'put' && event?.$case !== 'released') continue;
    const binding = event.value;
    if (node && binding.nodeId !== node) continue;
    const what = event.$case === 'released' ? 'released' : word(binding.state, 'BINDING_STATE');
    process.stdout.write(
      `${new Date().toISOString()} ${what.padEnd(9)} ${binding.sessionId} ${binding.tenantId} ` +
        `${word(binding.function, 'FUNCTION')} ${binding.nodeId} ${binding.callId}\n`,
    );
  }
}

export function sessionCommand(): Command {
  const session = new Command('session').description('one session');
  session
    .command('show')
    .argument('<key>', 'session id or Call-ID')
    .description('the story of one call: where it lives or lived, its legs, how it ended')
    .option('--tenant <tenant>', 'whose it is; needed for a Call-ID, and for a session that has ended', '')
    .action((key: string, { tenant }: { tenant: string }, command: Command) =>
      inContext(command, async ({ connection, format }) => {
        const binding = await liveBinding(connection, key, tenant);
        const tenantId = binding?.tenantId ?? tenant;
        const sessionId = binding?.sessionId ?? key;
        const legs = binding ? await liveLegs(connection, tenantId, sessionId) : undefined;
        const record = tenantId ? await recordOf(connection, tenantId, sessionId) : undefined;
        if (!binding && !record)
          throw fail('session_gone', `no session ${key} lives, and no record of it is kept`);
        if (format !== 'table') return printOne({ binding, legs, record }, {}, format);
        if (binding) printOne(binding, COLUMNS, format);
        if (legs?.length) printRows(legs, LIVE, format);
        if (record?.session) printOne(record.session, RECORD, format);
        if (record?.legs.length) printRows(record.legs, ENDED, format);
      }),
    );
  return session;
}

type LiveLeg = Awaited<ReturnType<typeof liveLegs>>[number];
const LIVE: Columns<LiveLeg> = {
  leg: ({ legUuid }) => legUuid,
  node: ({ nodeId }) => nodeId,
  direction: ({ outbound }) => (outbound ? 'out' : 'in'),
  caller: ({ caller }) => caller,
  callee: ({ callee }) => callee,
  agent: ({ agentId }) => agentId || '-',
};

type SessionRecord = NonNullable<NonNullable<Awaited<ReturnType<typeof recordOf>>>['session']>;
const RECORD: Columns<SessionRecord> = {
  started: ({ startedAt }) => startedAt?.toISOString() ?? '-',
  answered: ({ answeredAt }) => answeredAt?.toISOString() ?? '-',
  ended: ({ endedAt }) => endedAt?.toISOString() ?? '-',
  outcome: ({ disposition }) => word(disposition, 'DISPOSITION'),
  cause: ({ hangupCause }) => hangupCause,
  'ended by': ({ endedBy }) => endedBy || '-',
  nodes: ({ nodeIds }) => nodeIds.join(' -> '),
  trunks: ({ trunkIds }) => trunkIds.join(' -> ') || '-',
};

type LegRecord = NonNullable<Awaited<ReturnType<typeof recordOf>>>['legs'][number];
const ENDED: Columns<LegRecord> = {
  leg: ({ legUuid }) => legUuid,
  node: ({ nodeId }) => nodeId,
  direction: ({ outbound }) => (outbound ? 'out' : 'in'),
  caller: ({ caller }) => caller,
  callee: ({ callee }) => callee,
  outcome: ({ disposition }) => word(disposition, 'DISPOSITION'),
  cause: ({ hangupCause }) => hangupCause,
  mos: ({ summary }) => summary?.quality?.mos.toFixed(2) ?? '-',
};

async function liveBinding(
  connection: Connection,
  key: string,
  tenantId: string,
): Promise<Binding | undefined> {
  const cache = await connection.client(SessionCacheServiceClient, 'session-cache');
  if (SESSION_ID.test(key))
    return orNothing(
      ask(connection, cache, 'get', {
        tenantId: '',
        key: { $case: 'sessionId', value: key },
        role: 'NODE_ROLE_UNSPECIFIED',
      }),
    );
  if (!tenantId) throw fail('invalid_argument', '--tenant: a Call-ID is unique only within a tenant');
  for (const role of ['NODE_ROLE_MEDIA', 'NODE_ROLE_ROUTER', 'NODE_ROLE_TANDEM'] as const) {
    const found = await orNothing(
      ask(connection, cache, 'get', { tenantId, key: { $case: 'callId', value: key }, role }),
    );
    if (found) return found;
  }
  return undefined;
}

async function liveLegs(connection: Connection, tenantId: string, sessionId: string) {
  const control = await connection.client(CallControlServiceClient, 'call-control');
  const found = await orNothing(ask(connection, control, 'getSession', { tenantId, sessionId }));
  return found?.legs ?? [];
}

async function recordOf(connection: Connection, tenantId: string, sessionId: string) {
  const cdr = await connection.client(CdrServiceClient, 'call-control');
  return orNothing(ask(connection, cdr, 'getSession', { tenantId, sessionId }));
}

async function orNothing<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof CallmeshError && ['not_found', 'session_gone'].includes(error.code))
      return undefined;
    throw error;
  }
}
