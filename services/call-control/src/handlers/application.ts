import type { CallEvent } from '@callmesh/proto/call';
import type { NodeCommand, NodeCommandResult } from '@callmesh/proto/command';
import { NodeRole } from '@callmesh/proto/node';
import type { Program } from '@callmesh/proto/program';
import { aboutCall, type ErrorCode, fail, inSpan, SpanKind, toCallmeshError } from '@callmesh/runtime';
import type { Logger } from 'pino';
import type { Decisions } from '../adapters/decisions.ts';
import { programFor } from '../domain/application/program.ts';
import { refusalFor } from '../domain/application/refusal.ts';
import { farEnd } from '../domain/live-legs.ts';
import type { ApplicationMetrics } from './metrics.ts';

const RESOLVE_MS = 1_500;
const COMMAND_MS = 3_000;
/** So long a caller waits in silence for somebody who can say what its number is, milliseconds. */
const PATIENCE_MS = 5_000;
/** Of these, asking again may help: the leg waits meanwhile. */
const PASSING: readonly ErrorCode[] = ['unavailable', 'deadline', 'outcome_unknown', 'no_node', 'internal'];

export interface ApplicationPorts {
  readonly decisions: Pick<Decisions, 'resolve'>;
  /** Gives a command to a node, at most once. Errors: unavailable, outcome_unknown. */
  readonly send: (nodeId: string, command: NodeCommand) => Promise<NodeCommandResult>;
  readonly metrics: ApplicationMetrics;
  readonly logger: Logger;
  /** A call that was created longer ago is left alone, milliseconds. */
  readonly lateMs: number;
}

/** What answers a call, and what its leg does. */
interface Answer {
  readonly kind: string;
  /** Undefined: it stays parked for a service of the platform. */
  readonly program: Program | undefined;
}

/**
 * The default application: a call that arrives at a media node gets what its
 * destination says. It is told to the node as one program, which FreeSWITCH runs by
 * itself, and only if no program was started on the leg before: so it does no harm
 * to be asked again, by another replica or after a crash.
 */
export function defaultApplication(ports: ApplicationPorts): (event: CallEvent) => Promise<void> {
  return async (event) => {
    const ageMs = Date.now() - (event.at?.getTime() ?? 0);
    if (!isForUs(event) || ageMs > ports.lateMs) return;
    await aboutCall({ call_id: event.callId, session: event.sessionId }, () =>
      inSpan('application', SpanKind.CONSUMER, {}, () => answer(ports, event, ageMs)),
    );
  };
}

async function answer(ports: ApplicationPorts, event: CallEvent, ageMs: number): Promise<void> {
  const { kind, program } = await answerTo(ports, event, ageMs);
  if (program) await start(ports, event, program);
  ports.metrics.started(kind);
  const { tenantId, sessionId, nodeId } = event;
  ports.logger.info({ kind, tenant: tenantId, session: sessionId, node: nodeId }, 'application');
}

/** A call that came in, or one whose other side gave it to somebody else. */
function isForUs({ event, outbound, role, sessionId, tenantId }: CallEvent): boolean {
  const owned = sessionId !== '' && tenantId !== '';
  const waits = (event === 'created' && !outbound) || event === 'referred';
  return waits && role === NodeRole.NODE_ROLE_MEDIA && owned;
}

/** Errors: those that pass, for as long as the caller has patience: the event then comes again. */
async function answerTo({ decisions }: ApplicationPorts, event: CallEvent, ageMs: number): Promise<Answer> {
  const { tenantId, callee, referredTo, agentId } = event;
  const destination = { target: { $case: 'dialled', value: referredTo || callee } } as const;
  const question = { tenantId, destination, caller: farEnd(event), callerAgent: agentId, timeoutS: 0 };
  try {
    const resolved = await decisions.resolve(question, Date.now() + RESOLVE_MS);
    const kind = resolved.kind.replace('RESOLVED_KIND_', '').toLowerCase().replaceAll('_', '-');
    return { kind, program: programFor(resolved) };
  } catch (error) {
    const { code } = toCallmeshError(error);
    if (PASSING.includes(code) && ageMs < PATIENCE_MS) throw error;
    return { kind: 'refused', program: refusalFor(code) };
  }
}

async function start({ send }: ApplicationPorts, event: CallEvent, program: Program): Promise<void> {
  const { nodeId, nodeEpoch, tenantId, sessionId, legUuid, sequence } = event;
  const referred = event.event === 'referred';
  const { errorCode, errorMessage } = await send(nodeId, {
    // What was referred before may be referred again: each time is one.
    commandId: referred ? `refer-${legUuid}-${sequence}` : `app-${legUuid}`,
    expiresAt: new Date(Date.now() + COMMAND_MS),
    nodeEpoch,
    tenantId,
    sessionId,
    legUuid,
    actor: 'call-control/application',
    command: { $case: 'run', value: { program, onlyFirst: !referred } },
  });
  // A caller that has gone meanwhile needs nothing; anything else that is refused is refused for good.
  if (errorCode && PASSING.includes(errorCode as ErrorCode)) throw fail(errorCode as ErrorCode, errorMessage);
}
