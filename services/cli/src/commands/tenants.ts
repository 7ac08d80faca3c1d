import { readFile, writeFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { Kind, type Tenant, TenantRegistryServiceClient } from '@callmesh/proto/tenant';
import { Command } from 'commander';
import { parse } from 'yaml';
import { ask, type Connection } from '../connection.ts';
import { inContext } from '../context.ts';
import { type Columns, printOne, printRows } from '../output.ts';

const PAGE = 1000;
const limit = (value: number) => value || 'unlimited';

const COLUMNS: Columns<Tenant> = {
  tenant: ({ id }) => id,
  name: ({ name }) => name,
  domain: ({ domain }) => domain,
  enabled: ({ enabled }) => (enabled ? 'yes' : 'no'),
  'max calls': ({ maxCalls }) => limit(maxCalls),
  'max cps': ({ maxCps }) => limit(maxCps),
};

export function tenantsCommand(): Command {
  const tenants = new Command('tenants').description('tenants and all that is theirs, as YAML');
  tenants
    .command('list', { isDefault: true })
    .description('all tenants')
    .action((_, command: Command) =>
      inContext(command, async ({ connection, format }) => {
        printRows(await all(connection), COLUMNS, format);
      }),
    );
  tenants
    .command('show <tenant>')
    .description(
      'one tenant with its links, agents, numbers and trunks; "*": the platform\'s groups and links',
    )
    .action((tenant: string, _, command: Command) =>
      inContext(command, async ({ connection, format }) => {
        const yaml = await exported(connection, tenant);
        if (format === 'json') printOne(parse(yaml), {}, format);
        else process.stdout.write(yaml);
      }),
    );
  tenants
    .command('export <tenant>')
    .description('writes a tenant as a document that import takes; it contains digest hashes')
    .option('-f, --file <file>', 'where to; "-" is standard output', '-')
    .action((tenant: string, { file }: { file: string }, command: Command) =>
      inContext(command, async ({ connection }) => {
        const yaml = await exported(connection, tenant);
        if (file === '-') process.stdout.write(yaml);
        else await writeFile(file, yaml, { mode: 0o600 });
      }),
    );
  tenants
    .command('import <file>')
    .description('makes tenants equal to a document ("-": standard input); what it leaves out is removed')
    .option('--dry-run', 'only say what would change', false)
    .action((file: string, { dryRun }: { dryRun: boolean }, command: Command) =>
      inContext(command, async ({ connection, format }) => {
        const yaml = file === '-' ? await text(process.stdin) : await readFile(file, 'utf8');
        const registry = await connection.client(TenantRegistryServiceClient, 'tenant-registry');
        const done = await ask(connection, registry, 'importTenant', { yaml, dryRun, actor: 'cli' });
        if (format !== 'table') return printOne(done, {}, format);
        const would = dryRun ? 'would be ' : '';
        process.stdout.write(
          `${done.tenantId || 'several documents'}: ${done.created} ${would}created, ` +
            `${done.updated} ${would}changed, ${done.deleted} ${would}removed\n`,
        );
      }),
    );
  return tenants;
}

async function exported(connection: Connection, tenantId: string): Promise<string> {
  const registry = await connection.client(TenantRegistryServiceClient, 'tenant-registry');
  return (await ask(connection, registry, 'exportTenant', { tenantId })).yaml;
}

async function all(connection: Connection): Promise<Tenant[]> {
  const registry = await connection.client(TenantRegistryServiceClient, 'tenant-registry');
  const tenants: Tenant[] = [];
  for (let pageToken = ''; ; ) {
    const page = await ask(connection, registry, 'list', {
      kind: Kind.KIND_TENANT,
      tenantId: '',
      pageSize: PAGE,
      pageToken,
    });
    for (const { value } of page.resources) if (value?.$case === 'tenant') tenants.push(value.value);
    pageToken = page.nextPageToken;
    if (!pageToken) return tenants;
  }
}
