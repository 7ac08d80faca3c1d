import { type Binding, SessionCacheServiceClient } from '@callmesh/proto/session';
import { serverStream } from '@callmesh/runtime';
import { Command } from 'commander';
import { ask, type Connection } from '../connection.ts';
import { inContext } from '../context.ts';
import { type Columns, type Format, printLine, printRows } from '../output.ts';
import { ago, functionOf, limitOf, roleWord, word } from '../words.ts';

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
  readonly group: string;
  readonly function?: string;
  readonly limit: string;
  readonly follow?: boolean;
}

/** What a service does not filter by itself. */
function matcher({ node, group, function: fn }: Filter): (binding: Binding) => boolean {
  const wanted = fn === undefined ? undefined : functionOf(fn);
  return (binding) =>
    (!node || binding.nodeId === node) &&
    (!group || binding.groupId === group) &&
    (!wanted || binding.function === wanted);
}

export function sessionsCommand(): Command {
  return new Command('sessions')
    .description('live sessions and the nodes they live on')
    .option('--tenant <tenant>', 'only of this tenant', '')
    .option('--node <node>', 'only on this node', '')
    .option('--group <group>', 'only of this group', '')
    .option('--function <function>', 'only of this function')
    .option('--limit <count>', 'at most so many', '100')
    .option('-f, --follow', 'go on with each that begins, moves or ends')
    .action((filter: Filter, command: Command) =>
      inContext(command, async ({ connection, format, signal }) => {
        if (filter.follow) return follow(connection, filter, format, signal);
        const { bindings, more } = await list(connection, filter);
        printRows(bindings, COLUMNS, format);
        if (more) process.stderr.write('there are more (--limit)\n');
      }),
    );
}

async function list(connection: Connection, filter: Filter): Promise<{ bindings: Binding[]; more: boolean }> {
  const { tenant: tenantId, node: nodeId, limit } = filter;
  const [wanted, matches] = [limitOf(limit), matcher(filter)];
  const cache = await connection.client(SessionCacheServiceClient, 'session-cache');
  const bindings: Binding[] = [];
  for (let pageToken = ''; ; ) {
    const page = await ask(connection, cache, 'list', { tenantId, nodeId, pageSize: PAGE, pageToken });
    bindings.push(...page.bindings.filter(matches));
    pageToken = page.nextPageToken;
    if (!pageToken || bindings.length > wanted)
      return { bindings: bindings.slice(0, wanted), more: bindings.length > wanted };
  }
}

/** One line per change, until interrupted. */
async function follow(
  connection: Connection,
  filter: Filter,
  format: Format,
  signal: AbortSignal,
): Promise<void> {
  const matches = matcher(filter);
  const cache = await connection.client(SessionCacheServiceClient, 'session-cache');
  const nodes = new Map<string, string>();
  for await (const { event } of serverStream(cache, 'watch', { tenantId: filter.tenant }, { signal })) {
    if (event?.$case !== 'put' && event?.$case !== 'released') continue;
    const binding = event.value;
    const before = nodes.get(binding.sessionId);
    if (event.$case === 'released') nodes.delete(binding.sessionId);
    else nodes.set(binding.sessionId, binding.nodeId);
    if (!matches(binding)) continue;
    const moved = event.$case === 'put' && before !== undefined && before !== binding.nodeId;
    const what =
      event.$case === 'released' ? 'released' : moved ? 'moved' : word(binding.state, 'BINDING_STATE');
    if (format !== 'table') printLine({ at: new Date(), what, ...binding });
    else process.stdout.write(`${followed(what, binding, moved ? before : undefined)}\n`);
  }
}

function followed(what: string, binding: Binding, before: string | undefined): string {
  const { sessionId, tenantId, nodeId, callId } = binding;
  const node = before === undefined ? nodeId : `${before}->${nodeId}`;
  const at = new Date().toISOString();
  return `${at} ${what.padEnd(9)} ${sessionId} ${tenantId} ${word(binding.function, 'FUNCTION')} ${node} ${callId}`;
}
