import type { NodeCommand, NodeCommandResult } from '@callmesh/proto/command';
import type { LegRef } from '@callmesh/proto/control';
import { aboutCall, type CallContext, type ErrorCode, fail, toCallmeshError } from '@callmesh/runtime';
import type { Logger } from 'pino';
import type { Place, Places } from '../adapters/places.ts';
import { commandId } from '../domain/fingerprint.ts';
import { type Renamed, refusalOf } from '../domain/refusal.ts';
import { until } from '../domain/time.ts';
import type { Access } from './access.ts';
import { atMostOnce, type KeyLog } from './at-most-once.ts';
import type { CommandMetrics } from './metrics.ts';

export type Command = NonNullable<NodeCommand['command']>;

export interface CommanderPorts {
  readonly access: Access;
  readonly log: KeyLog;
  readonly places: Pick<Places, 'session' | 'leg' | 'requireMedia'>;
  /** Gives a command to a node, at most once. Errors: unavailable, outcome_unknown, deadline. */
  readonly send: (nodeId: string, command: NodeCommand) => Promise<NodeCommandResult>;
  readonly metrics: CommandMetrics;
  readonly logger: Logger;
}

/** Something that is done once per key. */
export interface Task {
  /** Its name in CallControlService, as a log and a metric have it. */
  readonly rpc: string;
  readonly idempotencyKey: string;
  readonly tenantId: string;
  readonly sessionId: string;
  /** The request as a whole: what the key stands for. */
  readonly request: unknown;
  /** Most time it may take, milliseconds, where that is not the usual. */
  readonly ms?: number;
}

/** One command to one leg. */
export interface Order extends Pick<Task, 'rpc' | 'idempotencyKey' | 'request' | 'ms'> {
  readonly leg: LegRef;
  readonly command: Command;
  /** Another leg that takes part, and the request's field that names it. */
  readonly other?: { readonly field: string; readonly legUuid: string };
  /** What fields of the command are called in the request. */
  readonly renamed?: Renamed;
}

/** A command as it goes to a node. */
export interface Dispatch extends Pick<Order, 'leg' | 'command' | 'renamed'> {
  readonly commandId: string;
  readonly end: number;
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
  order(context: CallContext, order: Order): Promise<Done & { repeated: boolean }> {
    const { leg, other } = order;
    const { tenantId, sessionId } = leg;
    return this.once(context, { ...order, tenantId, sessionId }, async (end) => {
      const place = await this.placeOf(context, leg, end);
      if (other) this.#checkOther(context, leg, other, place);
      const id = commandId(tenantId, order.idempotencyKey);
      return this.send(context, place, { ...order, commandId: id, end });
    });
  }

  /** Does something once per key for a tenant the caller may act for, and tells of it. */
  async once<T extends object>(
    context: CallContext,
    task: Task,
    act: (end: number) => Promise<T>,
  ): Promise<T & { repeated: boolean }> {
    const { access, log } = this.#ports;
    const tell = this.#teller(context, task);
    try {
      access.check(context, task.tenantId, 'command');
      const end = until(context.deadline, Date.now(), task.ms);
      const done = await aboutCall({ session: task.sessionId }, () =>
        atMostOnce(log, { ...task, end }, () => act(end)),
      );
      tell(done.repeated ? 'repeated' : 'ok');
      return done;
    } catch (error) {
      tell(toCallmeshError(error).code);
      throw error;
    }
  }

  /** Where a session lives that is the said tenant's. Errors: session_gone, tenant_forbidden, precondition_failed, unavailable. */
  async placeOf(context: CallContext, leg: LegRef, end: number): Promise<Place> {
    const { access, places } = this.#ports;
    const session = await places.session(leg.sessionId, end);
    const { tenantId, sessionId, legUuid } = leg;
    access.checkOwner(context, tenantId, session.tenantId, `session ${sessionId}`, 'command');
    const owner = places.leg(legUuid)?.tenantId ?? tenantId;
    access.checkOwner(context, tenantId, owner, `leg ${legUuid}`, 'command');
    places.requireMedia(leg, session);
    // The binding is what follows a move; a leg's own last event may speak of a life that is over.
    return session;
  }

  /** Gives a command to a node, and its refusal to the caller. */
  async send(context: CallContext, { nodeId, nodeEpoch }: Place, dispatch: Dispatch): Promise<Done> {
    const { commandId, leg, command, end, renamed = {} } = dispatch;
    const { tenantId, sessionId, legUuid } = leg;
    const result = await this.#ports.send(nodeId, {
      commandId,
      expiresAt: new Date(end),
      nodeEpoch,
      tenantId,
      sessionId,
      legUuid,
      actor: context.actor,
      command,
    });
    if (!result.errorCode) return { nodeId, result };
    const refusal = refusalOf(result, renamed);
    if (refusal.code === 'tenant_forbidden') throw this.#ports.access.refused(context, tenantId, '', refusal);
    throw refusal;
  }

  /** What is known of the other leg; the node has the last word. */
  #checkOther(
    context: CallContext,
    { tenantId }: LegRef,
    { field, legUuid }: { field: string; legUuid: string },
    { nodeId }: Place,
  ): void {
    const { access, places } = this.#ports;
    const other = places.leg(legUuid);
    if (!other) return;
    access.checkOwner(context, tenantId, other.tenantId, `leg ${legUuid}`, 'command');
    if (other.nodeId !== nodeId)
      throw fail('precondition_failed', `${field}: that leg is on ${other.nodeId}, this one on ${nodeId}`, {
        field,
      });
  }

  #teller(context: CallContext, { rpc, tenantId, sessionId }: Task) {
    const { metrics, logger } = this.#ports;
    const started = performance.now();
    return (code: ErrorCode | 'ok' | 'repeated') => {
      const ms = performance.now() - started;
      metrics.commanded(rpc, code, ms);
      const { actor } = context;
      logger.info({ rpc, code, tenant: tenantId, session: sessionId, actor, ms: Math.round(ms) }, 'command');
    };
  }
}
