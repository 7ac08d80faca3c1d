import { DesiredState, NodeRole } from '@callmesh/proto/node';
import { type NodeState, StateServiceClient } from '@callmesh/proto/state';
import { fail, roleNames, roleOf } from '@callmesh/runtime';
import { Command, Option } from 'commander';
import { ask } from '../connection.ts';
import { type Context, inContext } from '../context.ts';
import { type Columns, printOne, printRows } from '../output.ts';
import { ago, roleWord, word } from '../words.ts';
import { type DrainOptions, drain, patienceOf } from './drain.ts';

const statusOf = ({ status }: NodeState) => word(status, 'NODE_STATUS');
const limitOf = ({ node, load }: NodeState) => load?.maxSessions || node?.maxSessions || '-';

const COLUMNS: Columns<NodeState> = {
  node: ({ node }) => node?.id ?? '',
  role: ({ node }) => roleWord(node?.role ?? NodeRole.NODE_ROLE_UNSPECIFIED),
  group: ({ node }) => node?.group || '-',
  zone: ({ node }) => node?.zone || '-',
  status: statusOf,
  since: ({ since }) => ago(since),
  sessions: ({ load }) => load?.sessions ?? '?',
  max: limitOf,
  'idle cpu': ({ load }) => (load?.idleCpu ? `${load.idleCpu.toFixed(0)} %` : '-'),
  reason: ({ reason }) => reason,
};

const LINES: Columns<NodeState> = {
  ...COLUMNS,
  wanted: ({ desired }) => word(desired, 'DESIRED_STATE'),
  sip: ({ node }) => node?.sipUri ?? '',
  epoch: ({ node }) => node?.epoch ?? '',
  version: ({ node }) => node?.version ?? '',
  evidence: ({ evidence }) =>
    evidence.map(({ kind, detail, since }) => `${kind} for ${ago(since)} (${detail})`).join('; ') || 'none',
};

export function nodesCommand(): Command {
  return new Command('nodes')
    .description('the node table, as the mesh sees it')
    .addOption(new Option('--role <role>', 'only of this role').choices(roleNames))
    .option('--group <group>', 'only of this group', '')
    .action((options: { role?: string; group: string }, command: Command) =>
      inContext(command, async ({ connection, format }) => {
        const state = await connection.client(StateServiceClient, 'state');
        const role = options.role ? roleOf(options.role) : NodeRole.NODE_ROLE_UNSPECIFIED;
        const { nodes, silentSources } = await ask(connection, state, 'listNodes', {
          role,
          group: options.group,
        });
        printRows(nodes, COLUMNS, format);
        if (silentSources.length > 0)
          process.stderr.write(`silent: ${silentSources.join(', ')}; the table is as last known\n`);
      }),
    );
}

export function nodeCommand(): Command {
  const node = new Command('node').description('one node: show it, drain it, take it back');
  node
    .command('show <name>')
    .description('all that is known of a node, and what speaks against it')
    .action((name: string, _, command: Command) =>
      inContext(command, async ({ connection, format }) => {
        const state = await connection.client(StateServiceClient, 'state');
        printOne(await ask(connection, state, 'getNode', { nodeId: name }), LINES, format);
      }),
    );
  node
    .command('drain <name>')
    .description('no new sessions; the live ones stay to their end')
    .option(
      '--wait',
      'wait until it carries nothing; Ctrl-C stops waiting, --cancel-on-interrupt drains no more',
    )
    .option('--cancel-on-interrupt', 'with --wait: Ctrl-C takes the node back into service')
    .option('--deadline <time>', 'with --wait: after so long it is overdue, e.g. 90s, 30m or 4h')
    .addOption(
      new Option('--at-deadline <what>', 'what happens then: the rest stays to its end, or goes on elsewhere')
        .choices(['wait', 'move'])
        .default('wait'),
    )
    .action((name: string, options: DrainOptions, command: Command) =>
      inContext(command, async (context) => {
        if (!options.wait) return want(context, name, DesiredState.DESIRED_STATE_DRAINING);
        const { desired } = await getNode(context, name);
        const patience = { ...patienceOf(options), actor: actor() };
        const began = () => printWish(context, name, desired, DesiredState.DESIRED_STATE_DRAINING);
        if (await drain(context, name, patience, began)) return;
        if (options.cancelOnInterrupt) await want(context, name, DesiredState.DESIRED_STATE_ACTIVE);
        throw fail(
          'cancelled',
          options.cancelOnInterrupt ? `${name} takes calls again` : `${name} goes on draining`,
        );
      }),
    );
  simple(node, 'undrain', 'takes new sessions again', 'DESIRED_STATE_ACTIVE');
  simple(node, 'disable', 'no new sessions, for a node under repair', 'DESIRED_STATE_DISABLED');
  return node;
}

function simple(parent: Command, name: string, description: string, desired: DesiredState): void {
  parent
    .command(`${name} <name>`)
    .description(description)
    .action((node: string, _, command: Command) =>
      inContext(command, (context) => want(context, node, desired)),
    );
}

async function getNode({ connection }: Context, nodeId: string): Promise<NodeState> {
  return ask(connection, await connection.client(StateServiceClient, 'state'), 'getNode', { nodeId });
}

/** A name that is in no table is a typing error more often than a node to come. Errors: not_found. */
async function want(context: Context, nodeId: string, desired: DesiredState): Promise<void> {
  const { connection } = context;
  const state = await connection.client(StateServiceClient, 'state');
  await getNode(context, nodeId);
  const { previous } = await ask(connection, state, 'setDesiredState', { nodeId, desired, actor: actor() });
  printWish(context, nodeId, previous, desired);
}

function printWish({ format }: Context, nodeId: string, previous: DesiredState, desired: DesiredState): void {
  const was = word(previous, 'DESIRED_STATE').replace('unspecified', 'active');
  if (format !== 'table') printOne({ nodeId, previous, desired }, {}, format);
  else process.stdout.write(`${nodeId}: ${was} -> ${word(desired, 'DESIRED_STATE')}\n`);
}

/** Who asks, for the audit. */
function actor(): string {
  return `cli/${process.env.SUDO_USER ?? process.env.USER ?? 'unknown'}`;
}
