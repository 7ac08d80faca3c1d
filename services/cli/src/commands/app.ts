import { setTimeout as delay } from 'node:timers/promises';
import { SessionCacheServiceClient } from '@callmesh/proto/session';
import { Kind, type Resource, TenantRegistryServiceClient } from '@callmesh/proto/tenant';
import { CallmeshError, fail, roleNames, roleOf } from '@callmesh/runtime';
import { Command, Option } from 'commander';
import { ask, type Connection } from '../connection.ts';
import { type Context, inContext } from '../context.ts';
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
        process.stdout.write(`${tenant} ${fn}: ${before || 'no link of its own'} -> ${group}\n`);
        if (options.wait && before) await untilNothingIsLeft(context, tenant, before);
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

async function untilNothingIsLeft(
  { connection, signal }: Context,
  tenant: string,
  group: string,
): Promise<void> {
  for (let last = -1; ; ) {
    const left = await countIn(connection, tenant, group);
    if (left !== last) process.stderr.write(`${left} sessions of ${tenant} are left on ${group}\n`);
    last = left;
    if (left === 0) return;
    try {
      await delay(COUNT_MS, undefined, { signal });
    } catch {
      throw fail('cancelled', `${left} sessions go on on ${group}`);
    }
  }
}

async function countIn(connection: Connection, tenantId: string, group: string): Promise<number> {
  const cache = await connection.client(SessionCacheServiceClient, 'session-cache');
  let count = 0;
  for (let pageToken = ''; ; ) {
    const page = await ask(connection, cache, 'list', { tenantId, nodeId: '', pageSize: PAGE, pageToken });
    count += page.bindings.filter(({ groupId }) => groupId === group).length;
    pageToken = page.nextPageToken;
    if (!pageToken) return count;
  }
}
