import type { NodeCommand, NodeCommandResult } from '@callmesh/proto/command';
import {
  type App,
  aboutCall,
  type Component,
  type Nats,
  serveCommands,
  toCallmeshError,
} from '@callmesh/runtime';

/** Who carries out commands. */
export interface CommandTarget {
  carryOut(command: NodeCommand): Promise<Partial<NodeCommandResult>>;
  close(): void;
}

/** Takes the commands of one node from NATS, counts them, and says in the log who commanded what. */
export function commandServer(app: App, nats: Nats, nodeId: string, target: CommandTarget): Component {
  const counter = app.meter.createCounter('callmesh_node_commands', {
    description: 'commands carried out, by kind and by what came of them',
  });
  let subscription: { close(): void } | undefined;

  async function carryOut(command: NodeCommand): Promise<Partial<NodeCommandResult>> {
    const result = await target.carryOut(command).catch((error) => {
      const { code, message, field } = toCallmeshError(error);
      if (code === 'internal') app.log.error({ err: error, command_id: command.commandId }, 'command failed');
      return { errorCode: code, errorMessage: message, errorField: field ?? '' };
    });
    const kind = command.command?.$case ?? 'none';
    const code = result.errorCode || 'ok';
    counter.add(1, { command: kind, code });
    const { commandId, tenantId, sessionId, legUuid, actor } = command;
    app.log.info(
      { command_id: commandId, tenant: tenantId, session: sessionId, leg: legUuid, actor, kind, code },
      'command',
    );
    return result;
  }

  return {
    name: 'commands',
    async start() {
      subscription = serveCommands(nats, nodeId, (command) =>
        aboutCall({ session: command.sessionId }, () => carryOut(command)),
      );
    },
    async drain() {
      subscription?.close();
    },
    async stop() {
      target.close();
    },
  };
}
