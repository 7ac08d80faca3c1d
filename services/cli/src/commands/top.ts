import { type NodeState, StateServiceClient } from '@callmesh/proto/state';
import { serverStream } from '@callmesh/runtime';
import { Command } from 'commander';
import { type Context, inContext } from '../context.ts';
import { printLine } from '../output.ts';
import { roleWord, word } from '../words.ts';

/** How often the screen is drawn, milliseconds. */
const DRAW_MS = 500;
const BAR = 24;

export function topCommand(): Command {
  return new Command('top')
    .description('a live view of the nodes, fullest first; Ctrl-C ends it; -o json prints a line per change')
    .action((_, command: Command) => inContext(command, (context) => live(context)));
}

async function live({ connection, format, signal }: Context): Promise<void> {
  const state = await connection.client(StateServiceClient, 'state');
  const rows = new Map<string, NodeState>();
  const table = format === 'table';
  const timer = setInterval(() => table && draw([...rows.values()]), DRAW_MS);
  try {
    const watch = serverStream(state, 'watchNodes', { role: 'NODE_ROLE_UNSPECIFIED', group: '' }, { signal });
    for await (const { event } of watch) {
      if (!table && event?.$case === 'put') printLine(event.value);
      if (event?.$case === 'put' && event.value.node) rows.set(event.value.node.id, event.value);
      else if (event?.$case === 'removedNodeId') rows.delete(event.value);
      else if (event?.$case === 'snapshotDone' && table) draw([...rows.values()]);
    }
  } finally {
    clearInterval(timer);
  }
}

/** Draws over what was drawn before: on a terminal only, elsewhere the frames follow one another. */
function draw(rows: readonly NodeState[]): void {
  const height = (process.stdout.rows ?? 50) - 3;
  const sessions = rows.reduce((sum, { load }) => sum + (load?.sessions ?? 0), 0);
  const cps = rows.reduce((sum, { load }) => sum + (load?.sessionsPerSecond ?? 0), 0);
  const up = rows.filter(({ status }) => status === 'NODE_STATUS_UP').length;
  const sorted = [...rows].sort((a, b) => share(b) - share(a) || (a.node!.id < b.node!.id ? -1 : 1));
  const lines = [
    `${new Date().toISOString().slice(11, 19)}  ${up} of ${rows.length} nodes up, ${sessions} legs, ${cps} new a second`,
    '',
    ...sorted.slice(0, height).map(line),
  ];
  process.stdout.write(`${process.stdout.isTTY ? '\u001b[H\u001b[2J' : ''}${lines.join('\n')}\n`);
}

/** How full a node is, 0-1; nodes without a limit count as empty. */
function share({ node, load }: NodeState): number {
  const max = load?.maxSessions || node?.maxSessions;
  return max ? (load?.sessions ?? 0) / max : 0;
}

function line(row: NodeState): string {
  const { node, load } = row;
  const filled = Math.round(Math.min(1, share(row)) * BAR);
  const max = load?.maxSessions || node?.maxSessions || 0;
  return [
    node!.id.padEnd(20),
    roleWord(node!.role).padEnd(9),
    (node!.group || '-').padEnd(12),
    word(row.status, 'NODE_STATUS').padEnd(9),
    `[${'#'.repeat(filled)}${'.'.repeat(BAR - filled)}]`,
    `${load?.sessions ?? '?'}${max ? `/${max}` : ''}`.padStart(11),
  ].join(' ');
}
