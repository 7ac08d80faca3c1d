import type { CallEvent } from '@callmesh/proto/call';
import { NodeRole } from '@callmesh/proto/node';
import type { PolicyServiceClient } from '@callmesh/proto/policy';
import type { Program } from '@callmesh/proto/program';
import { call, type ErrorCode, fail, type Nats, sendCommand, toCallmeshError } from '@callmesh/runtime';
import type { Logger } from 'pino';
import { programFor } from '../domain/application/program.ts';
import { refusalFor } from '../domain/application/refusal.ts';
import type { ApplicationMetrics } from './metrics.ts';

const POLICY_MS = 1_500;
const COMMAND_MS = 3_000;
/** Of these, asking again may help: the leg waits meanwhile. */
const PASSING: readonly ErrorCode[] = ['unavailable', 'deadline', 'outcome_unknown', 'no_node', 'internal'];

export interface ApplicationPorts {
  readonly policy: PolicyServiceClient;
  readonly nats: Nats;
  readonly metrics: ApplicationMetrics;
  readonly logger: Logger;
  /** A call that was created longer ago is left alone, milliseconds. */
  readonly lateMs: number;
}

/**
 * The default application: a call that arrives at a media node gets what its
 * destination says. It is told to the node as one program, which FreeSWITCH runs by
 * itself, and only if no program was started on the leg before: so it does no harm
 * to be asked again, by another replica or after a crash.
 */
export function defaultApplication(ports: ApplicationPorts): (event: CallEvent) => Promise<void> {
  return async (event) => {
    const lateMs = Date.now() - (event.at?.getTime() ?? 0);
    if (!isArrival(event) || lateMs > ports.lateMs) return;
    const { kind, program } = await answerTo(ports, event);
    if (program) await start(ports, event, program);
    ports.metrics.started(kind);
    ports.logger.info(
      { session: event.sessionId, tenant: event.tenantId, node: event.nodeId, kind },
      'call answered by application',
    );
  };
}

function isArrival({ event, outbound, role, sessionId, tenantId }: CallEvent): boolean {
  return (
    event === 'created' &&
    !outbound &&
    role === NodeRole.NODE_ROLE_MEDIA &&
    sessionId !== '' &&
    tenantId !== ''
  );
}

/** What the leg is to do. Errors: those that pass, so that the event comes again. */
async function answerTo(
  { policy }: ApplicationPorts,
  { tenantId, caller, callee, agentId }: CallEvent,
): Promise<{ kind: string; program: Program | undefined }> {
  const dialled = { target: { $case: 'user', value: callee } } as const;
  const question = { tenantId, dialled, caller, callerAgent: agentId, timeoutS: 0 };
  try {
    const destination = await call(policy, 'resolveDestination', question, { deadlineMs: POLICY_MS });
    const kind = destination.kind.replace('RESOLVED_KIND_', '').toLowerCase().replaceAll('_', '-');
    return { kind, program: programFor(destination) };
  } catch (error) {
    const { code } = toCallmeshError(error);
    if (PASSING.includes(code)) throw error;
    return { kind: 'refused', program: refusalFor(code) };
  }
}

async function start({ nats }: ApplicationPorts, event: CallEvent, program: Program): Promise<void> {
  const { nodeId, nodeEpoch, tenantId, sessionId, legUuid } = event;
  const { errorCode, errorMessage } = await sendCommand(nats, nodeId, {
    commandId: `app-${legUuid}`,
    expiresAt: new Date(Date.now() + COMMAND_MS),
    nodeEpoch,
    tenantId,
    sessionId,
    legUuid,
    actor: 'call-control/application',
    command: { $case: 'run', value: { program, onlyFirst: true } },
  });
  // A caller that has gone meanwhile needs nothing; anything else that is refused is refused for good.
  if (errorCode && PASSING.includes(errorCode as ErrorCode)) throw fail(errorCode as ErrorCode, errorMessage);
}
