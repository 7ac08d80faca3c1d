import { NodeCommand, NodeCommandResult } from '@callmesh/proto/command';
import { NoRespondersError, TimeoutError } from '@nats-io/nats-core';
import { context } from '@opentelemetry/api';
import { fail, toCallmeshError } from '../errors.ts';
import type { Nats } from '../nats.ts';
import { inSpan, SpanKind } from '../tracing.ts';
import { decode, encode, token } from './json.ts';
import { traceOf, withTrace } from './trace.ts';

/** callmesh.cmd.<node-id>, core NATS request and reply: nothing keeps a command for later. */
const SUBJECT = 'callmesh.cmd';
/** The agent's answer may come this much after the deadline it was given, milliseconds. */
const GRACE_MS = 250;

/**
 * Gives a command to a node's agent and waits for what came of it, until a little
 * after it expires. Never sent twice. Errors: unavailable when it was not handed
 * over, outcome_unknown when it was and no answer came.
 */
export async function sendCommand(
  nats: Nats,
  nodeId: string,
  command: NodeCommand,
): Promise<NodeCommandResult> {
  // A connection that is being made again would keep the command and send it when it is there.
  if (!nats.connected) throw fail('unavailable', 'NATS is away: the command was not sent');
  const left = (command.expiresAt?.getTime() ?? 0) - Date.now();
  if (left <= 0) throw fail('deadline', 'no time was left to send the command');
  return inSpan(`command ${kindOf(command)}`, SpanKind.CLIENT, attributesOf(nodeId, command), async () => {
    try {
      const reply = await nats.connection.request(
        `${SUBJECT}.${token(nodeId)}`,
        encode(NodeCommand, command),
        { timeout: left + GRACE_MS, ...withTrace() },
      );
      return decode(NodeCommandResult, reply);
    } catch (error) {
      if (noResponders(error)) throw fail('unavailable', `no agent of node ${nodeId} is there`);
      throw fail('outcome_unknown', `node ${nodeId} did not say what came of the command`, { cause: error });
    }
  });
}

function kindOf({ command }: NodeCommand): string {
  return command?.$case ?? 'none';
}

function attributesOf(nodeId: string, { tenantId, legUuid }: NodeCommand) {
  return {
    'messaging.system': 'nats',
    'messaging.destination.name': SUBJECT,
    'callmesh.node': nodeId,
    'callmesh.tenant': tenantId,
    'callmesh.leg': legUuid,
  };
}

function noResponders(error: unknown): boolean {
  const cause = error instanceof TimeoutError ? undefined : (error as Error | undefined)?.cause;
  return error instanceof NoRespondersError || cause instanceof NoRespondersError;
}

/**
 * Takes the commands of one node. What `carryOut` throws is the command's result;
 * a message that is no command is answered with invalid_argument.
 */
export function serveCommands(
  nats: Nats,
  nodeId: string,
  carryOut: (command: NodeCommand) => Promise<Partial<NodeCommandResult>>,
): { close(): void } {
  return nats.subscribe(`${SUBJECT}.${token(nodeId)}`, (message) => {
    void (async () => {
      const { commandId, result } = await resultOf(message.string(), (command) =>
        context.with(traceOf(message), () =>
          inSpan(`command ${kindOf(command)}`, SpanKind.SERVER, attributesOf(nodeId, command), () =>
            carryOut(command),
          ),
        ),
      );
      message.respond(encode(NodeCommandResult, NodeCommandResult.fromPartial({ ...result, commandId })));
    })();
  });
}

async function resultOf(
  text: string,
  carryOut: (command: NodeCommand) => Promise<Partial<NodeCommandResult>>,
): Promise<{ commandId: string; result: Partial<NodeCommandResult> }> {
  let commandId = '';
  try {
    const command = parse(text);
    commandId = command.commandId;
    return { commandId, result: await carryOut(command) };
  } catch (error) {
    const { code, message, field } = toCallmeshError(error);
    return { commandId, result: { errorCode: code, errorMessage: message, errorField: field ?? '' } };
  }
}

function parse(text: string): NodeCommand {
  try {
    return NodeCommand.fromJSON(JSON.parse(text));
  } catch (error) {
    throw fail('invalid_argument', 'expected a command as JSON', { cause: error });
  }
}
