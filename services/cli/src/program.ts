import { Command, Option } from 'commander';
import { appCommand } from './commands/app.ts';
import { cdrCommand } from './commands/cdr.ts';
import { completionCommand } from './commands/completion.ts';
import { doctorCommand } from './commands/doctor.ts';
import { nodeCommand, nodesCommand } from './commands/nodes.ts';
import { registrationsCommand } from './commands/registrations.ts';
import { routeCommand } from './commands/route.ts';
import { sessionCommand } from './commands/session.ts';
import { sessionsCommand } from './commands/sessions.ts';
import { tenantsCommand } from './commands/tenants.ts';
import { topCommand } from './commands/top.ts';
import { formats } from './output.ts';

/** The whole command line. Exit codes: see exit-code.ts. */
export function program(): Command {
  const root = new Command('callmesh')
    .description('Looks at and operates a callmesh: nodes, sessions, tenants.')
    .exitOverride()
    .showSuggestionAfterError()
    .addOption(
      new Option('-o, --output <format>', 'how results are printed').choices(formats).default('table'),
    )
    .addOption(
      new Option('--etcd <urls>', 'etcd endpoints, with commas between')
        .env('CALLMESH_ETCD')
        .default('http://127.0.0.1:2379'),
    )
    .addOption(new Option('--etcd-ca <file>', "CA of etcd's certificate").env('CALLMESH_ETCD_CA'))
    .addOption(new Option('--etcd-cert <file>', 'client certificate for etcd').env('CALLMESH_ETCD_CERT'))
    .addOption(new Option('--etcd-key <file>', 'its key').env('CALLMESH_ETCD_KEY'))
    .addOption(
      new Option('--etcd-user <name>', 'user of etcd; the password is CALLMESH_ETCD_PASSWORD').env(
        'CALLMESH_ETCD_USER',
      ),
    )
    .addOption(
      new Option('--server <service=host:port...>', 'where a service is, instead of what etcd says').default(
        [],
      ),
    )
    .addOption(new Option('--token <token>', "the mesh's bearer token").env('CALLMESH_TOKEN').default(''))
    .addOption(new Option('--tls-ca <file>', 'CA of the services (mutual TLS)').env('CALLMESH_TLS_CA'))
    .addOption(new Option('--tls-cert <file>', 'client certificate').env('CALLMESH_TLS_CERT'))
    .addOption(new Option('--tls-key <file>', 'its key').env('CALLMESH_TLS_KEY'))
    .addOption(new Option('--timeout <seconds>', 'deadline of each question').argParser(Number).default(5));
  for (const command of [
    nodesCommand(),
    nodeCommand(),
    sessionsCommand(),
    sessionCommand(),
    routeCommand(),
    tenantsCommand(),
    appCommand(),
    registrationsCommand(),
    cdrCommand(),
    topCommand(),
    doctorCommand(),
    completionCommand(),
  ])
    root.addCommand(command);
  inherit(root);
  return root;
}

/** Subcommands that were made apart end as the root does: with an error, not with the process. */
function inherit(parent: Command): void {
  for (const command of parent.commands) {
    command.copyInheritedSettings(parent);
    inherit(command);
  }
}
