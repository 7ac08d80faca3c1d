import type { NodeCommand, NodeCommandResult } from '@callmesh/proto/command';
import type { LegRef } from '@callmesh/proto/control';
import {
  type CallContext,
  type ErrorCode,
  fail,
  type Nats,
  sendCommand,
  toCallmeshError,
} from '@callmesh/runtime';
import type { Logger } from 'pino';
import type { CommandLog } from '../adapters/command-log.ts';
import type { Place, Places } from '../adapters/places.ts';
import { commandId } from '../domain/fingerprint.ts';
import type { Access } from './access.ts';
import { atMostOnce } from './at-most-once.ts';
import type { CommandMetrics } from './metrics.ts';

/** Deadline of a command whose caller and kind name none, milliseconds. */
const COMMAND_MS = 5_000;
/** Left of the caller's deadline for the way back, milliseconds. */
const WAY_BACK_MS = 150;

export type Command = NonNullable<NodeCommand['command']>;

export interface CommanderPorts {
  readonly access: Access;
  readonly log: CommandLog;
  readonly places: Places;
  readonly nats: Nats;
  readonly metrics: CommandMetrics;
  readonly logger: Logger;
}

/** One command to one leg. */
export interface Order {
  readonly idempotencyKey: string;
  readonly leg: LegRef;
  /** The request as a whole: what the key stands for. */
  readonly request: unknown;
  readonly command: Command;
  /** Most time the node may take, milliseconds, where that is not the usual. */
  readonly ms?: number;
}

/** What came of it, and where. */
export interface Done {
  readonly nodeId: string;
  readonly result: NodeCommandResult;
}

/** Gives commands to the nodes legs live on: checked, once, within a deadline, and told of. */
export class Commander {
  readonly #ports: CommanderPorts;

  constructor(ports: CommanderPorts) {
    this.#ports = ports;
  }

  /** Errors: those of CallControlService. */
  async order(context: CallContext, order: Order): Promise<Done & { repeated: boolean }> {
    const { command, leg } = order;
    return this.once(context, { ...order, tenantId: leg.tenantId, kind: command.$case }, async (until) => {
      const place = await this.placeOf(context, leg);
      const id = commandId(leg.tenantId, order.idempotencyKey);
      return this.send(context, place, { commandId: id, leg, command, until });
    });
  }

  /** Does something once per key for a tenant the caller may act for, and tells of it. */
  async once<T extends object>(
    context: CallContext,
    what: { idempotencyKey: string; tenantId: string; request: unknown; kind: string; ms?: number },
    act: (until: number) => Promise<T>,
  ): Promise<T & { repeated: boolean }> {
    const { access, log, metrics, logger } = this.#ports;
    const { tenantId, idempotencyKey, request, kind } = what;
    const started = performance.now();
    let code: ErrorCode | 'ok' = 'ok';
    try {
      access.check(context, tenantId, 'command');
      const until = Math.min(context.deadline - WAY_BACK_MS, Date.now() + (what.ms ?? COMMAND_MS));
      if (until <= Date.now()) throw fail('deadline', 'no time is left of the deadline');
      return await atMostOnce(log, { tenantId, idempotencyKey, request, until }, () => act(until));
    } catch (error) {
      code = toCallmeshError(error).code;
      throw error;
    } finally {
      const ms = performance.now() - started;
      metrics.commanded(kind, code, ms);
      logger.info(
        { tenant: tenantId, kind, code, actor: context.actor, ms: Math.round(ms) },
        code === 'ok' ? 'commanded' : 'command refused',
      );
    }
  }

  /** Where a leg lives that is the said tenant's. Errors: session_gone, tenant_forbidden, precondition_failed, unavailable. */
  async placeOf(context: CallContext, leg: LegRef): Promise<Place> {
    const { access, places } = this.#ports;
    const place = await places.leg(leg);
    access.checkOwner(context, leg.tenantId, place.tenantId, `session ${leg.sessionId}`, 'command');
    return place;
  }

  /** Gives a command to a node, and its refusal to the caller. */
  async send(
    context: CallContext,
    { nodeId, nodeEpoch }: Pick<Place, 'nodeId' | 'nodeEpoch'>,
    { commandId, leg, command, until }: { commandId: string; leg: LegRef; command: Command; until: number },
  ): Promise<Done> {
    const result = await sendCommand(this.#ports.nats, nodeId, {
      commandId,
      expiresAt: new Date(until),
      nodeEpoch,
      tenantId: leg.tenantId,
      sessionId: leg.sessionId,
      legUuid: leg.legUuid,
      actor: context.actor,
      command,
    });
    if (result.errorCode === 'tenant_forbidden')
      this.#ports.access.checkOwner(context, leg.tenantId, '', `leg ${leg.legUuid}`, 'command');
    if (result.errorCode) throw refusalOf(result);
    return { nodeId, result };
  }
}

function refusalOf({ errorCode, errorMessage, errorField }: NodeCommandResult) {
  const field = errorField === '' ? {} : { field: errorField };
  return fail(errorCode as ErrorCode, errorMessage, field);
}
