import { setTimeout as delay } from 'node:timers/promises';
import { SessionCacheServiceClient } from '@callmesh/proto/session';
import { fail, roleNames, roleOf } from '@callmesh/runtime';
import { Command, Option } from 'commander';
import { ask, type Connection } from '../connection.ts';
import { type Context, inContext } from '../context.ts';
import { printOne } from '../output.ts';
import { progressOf } from '../progress.ts';
import { functionOf } from '../words.ts';
import { type Linked, link, share } from './links.ts';

const PAGE = 1000;
/** How often it is counted what is left, milliseconds. */
const COUNT_MS = 1_000;

export function appCommand(): Command {
  const app = new Command('app').description("a tenant's functions and the node groups they run on");
  app
    .command('switch <tenant> <function> <group>')
    .description('new sessions of the function go to the group; the live ones stay where they are')
    .addOption(
      new Option('--role <role>', "the group's role").choices(roleNames.slice(0, 3)).default('media'),
    )
    .option('--percent <n>', 'only so many of a hundred general sessions, as function gray; 0: none any more')
    .option('--wait', 'wait until nothing is left on the old group')
    .action((tenant: string, fn: string, group: string, options: SwitchOptions, command: Command) =>
      inContext(command, async (context) => {
        const linked = { tenantId: tenant, fn, role: options.role };
        const percent = percentOf(fn, options);
        const rest =
          percent === undefined || percent === 100
            ? await switchAll(context, linked, group, percent === 100)
            : await switchShare(context, linked, group, percent);
        if (options.wait && rest.group !== '') await untilNothingIsLeft(context, rest);
      }),
    );
  return app;
}

interface SwitchOptions {
  readonly role: string;
  readonly percent?: string;
  readonly wait?: boolean;
}

/** Sessions of a tenant's function that a group still carries. */
interface Rest extends Linked {
  readonly group: string;
}

/** The share that is asked for. Errors: invalid_argument. */
function percentOf(fn: string, { percent, wait }: SwitchOptions): number | undefined {
  if (percent === undefined) return undefined;
  if (!/^(\d{1,2}|100)$/.test(percent)) throw fail('invalid_argument', '--percent: expected 0 to 100');
  if (fn !== 'general') throw fail('invalid_argument', `--percent: only general has a share, ${fn} has not`);
  const share = Number(percent);
  if (wait && share > 0 && share < 100) throw fail('invalid_argument', '--wait: a share empties no group');
  return share;
}

/** Returns what is left where the function was before: nowhere, when that is the same, or no link of its own. */
async function switchAll(context: Context, linked: Linked, group: string, endsShare: boolean): Promise<Rest> {
  const { tenantId, fn, role } = linked;
  const before = await link(context.connection, linked, group);
  // Only now: whoever was tried out goes on to the new group, and not back to the old one.
  if (endsShare) await share(context.connection, tenantId, 0);
  if (context.format !== 'table')
    printOne({ tenant: tenantId, function: fn, role, before, group }, {}, context.format);
  else process.stdout.write(`${tenantId} ${fn}: ${before || 'no link of its own'} -> ${group}\n`);
  return { ...linked, group: before === group ? '' : before };
}

/** A share of general goes by the function gray: first the way there, then who goes. Returns what is left of gray. */
async function switchShare(context: Context, linked: Linked, group: string, percent: number): Promise<Rest> {
  const { tenantId, fn, role } = linked;
  const gray = { ...linked, fn: 'gray' };
  if (percent > 0) await link(context.connection, gray, group);
  const before = await share(context.connection, tenantId, percent);
  if (context.format !== 'table')
    printOne({ tenant: tenantId, function: fn, role, before, group, percent }, {}, context.format);
  else process.stdout.write(`${tenantId} ${fn}: ${before} % -> ${percent} % on ${group}\n`);
  return { ...gray, group };
}

async function untilNothingIsLeft({ connection, signal }: Context, rest: Rest): Promise<void> {
  const progress = progressOf(`${rest.tenantId} ${rest.fn} on ${rest.group}`);
  try {
    for (;;) {
      const left = await countOf(connection, rest);
      progress.update(left);
      if (left === 0) return;
      try {
        await delay(COUNT_MS, undefined, { signal });
      } catch {
        throw fail('cancelled', `${left} sessions go on on ${rest.group}; the switch stays`);
      }
    }
  } finally {
    progress.end();
  }
}

async function countOf(connection: Connection, { tenantId, fn, group, role }: Rest): Promise<number> {
  const cache = await connection.client(SessionCacheServiceClient, 'session-cache');
  const [wanted, at] = [functionOf(fn), roleOf(role)];
  let count = 0;
  for (let pageToken = ''; ; ) {
    const page = await ask(connection, cache, 'list', { tenantId, nodeId: '', pageSize: PAGE, pageToken });
    const left = page.bindings.filter(
      (one) => one.groupId === group && one.function === wanted && one.role === at,
    );
    count += left.length;
    pageToken = page.nextPageToken;
    if (!pageToken) return count;
  }
}
