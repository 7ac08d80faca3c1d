import { setTimeout as delay } from 'node:timers/promises';
import { SessionCacheServiceClient } from '@callmesh/proto/session';
import { Kind, type Resource, TenantRegistryServiceClient } from '@callmesh/proto/tenant';
import { CallmeshError, fail, roleNames, roleOf } from '@callmesh/runtime';
import { Command, Option } from 'commander';
import { ask, type Connection } from '../connection.ts';
import { type Context, inContext } from '../context.ts';
import { printOne } from '../output.ts';
import { progressOf } from '../progress.ts';
import { functionOf } from '../words.ts';

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
    .option('--wait', 'wait until nothing is left on the old group')
    .action((tenant: string, fn: string, group: string, options: SwitchOptions, command: Command) =>
      inContext(command, async (context) => {
        const before = await switchTo(context.connection, tenant, fn, group, options.role);
        if (context.format !== 'table')
          printOne({ tenant, function: fn, role: options.role, before, group }, {}, context.format);
        else process.stdout.write(`${tenant} ${fn}: ${before || 'no link of its own'} -> ${group}\n`);
        const wait = options.wait && before !== '' && before !== group;
        if (wait)
          await untilNothingIsLeft(context, { tenantId: tenant, fn, group: before, role: options.role });
      }),
    );
  return app;
}

interface SwitchOptions {
  readonly role: string;
  readonly wait?: boolean;
}

/** Returns the group it was linked to before; empty when the tenant had no link of its own. */
async function switchTo(
  connection: Connection,
  tenantId: string,
  fn: string,
  groupId: string,
  role: string,
): Promise<string> {
  const registry = await connection.client(TenantRegistryServiceClient, 'tenant-registry');
  const id = `${tenantId}/${fn}/${role}`;
  const link = { id: '', tenantId, function: functionOf(fn), groupId, role: roleOf(role) };
  const found = await existing(connection, registry, id);
  const resource = (revision: bigint | number): Resource =>
    ({ value: { $case: 'tenantApp', value: link }, revision }) as Resource;
  if (!found) {
    await ask(connection, registry, 'create', { resource: resource(0), actor: 'cli' });
    return '';
  }
  await ask(connection, registry, 'update', { resource: resource(found.revision), actor: 'cli' });
  return found.value?.$case === 'tenantApp' ? found.value.value.groupId : '';
}

async function existing(
  connection: Connection,
  registry: TenantRegistryServiceClient,
  id: string,
): Promise<Resource | undefined> {
  try {
    return await ask(connection, registry, 'get', { kind: Kind.KIND_TENANT_APP, id });
  } catch (error) {
    if (error instanceof CallmeshError && error.code === 'not_found') return undefined;
    throw error;
  }
}

/** Sessions of a tenant's function that a group still carries. */
interface Rest {
  readonly tenantId: string;
  readonly fn: string;
  readonly group: string;
  readonly role: string;
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
