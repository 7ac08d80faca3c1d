import type {
  Destination,
  HangUpRequest,
  LegRef,
  OriginateRequest,
  OriginateResponse,
  TransferBlindRequest,
} from '@callmesh/proto/control';
import type { Dialled, PolicyServiceClient, ResolveDestinationResponse } from '@callmesh/proto/policy';
import { RouteSessionRequest } from '@callmesh/proto/policy';
import { type CallContext, call, fail, toCallmeshError } from '@callmesh/runtime';
import type { Place, Places } from '../adapters/places.ts';
import { programFor } from '../domain/application/program.ts';
import { checkLeg, checkRing, checkSessionId, checkTenant, present } from '../domain/check.ts';
import { commandId } from '../domain/fingerprint.ts';
import type { LiveLegs } from '../domain/live-legs.ts';
import type { Commander, Done } from './commander.ts';

const POLICY_MS = 2_000;

export interface DestinationPorts {
  readonly commander: Commander;
  readonly places: Places;
  readonly policy: PolicyServiceClient;
  readonly legs: LiveLegs;
  /** A new channel UUID. */
  readonly newUuid: () => string;
}

/** Commands that lead to somebody else, or to more than one leg. */
export function destinationHandlers(ports: DestinationPorts) {
  return {
    originate: (request: OriginateRequest, context: CallContext) => originate(ports, request, context),
    transferBlind: (request: TransferBlindRequest, context: CallContext) =>
      transferBlind(ports, request, context),
    hangUp: (request: HangUpRequest, context: CallContext) => hangUp(ports, request, context),
  };
}

async function originate(
  ports: DestinationPorts,
  request: OriginateRequest,
  context: CallContext,
): Promise<OriginateResponse> {
  const { commander } = ports;
  const tenantId = checkTenant('tenant_id', request.tenantId);
  if (request.sessionId !== '') checkSessionId('session_id', request.sessionId);
  const destination = present('destination', request.destination);
  const timeoutS = checkRing('timeout_s', request.timeoutS);
  const { idempotencyKey } = request;
  const what = { idempotencyKey, tenantId, request, kind: 'originate' };
  return commander.once(context, what, async (until) => {
    const { dial } = await resolve(ports, tenantId, destination, request.callerNumber, timeoutS);
    if (!dial)
      throw fail('precondition_failed', 'the destination is nobody who can be called', {
        field: 'destination',
      });
    const legUuid = ports.newUuid();
    const callId = `${legUuid}@callmesh`;
    const place = await placeFor(ports, request, context, callId);
    const leg: LegRef = { tenantId, sessionId: place.sessionId, legUuid };
    await commander.send(context, place, {
      commandId: commandId(tenantId, idempotencyKey),
      leg,
      until,
      command: {
        $case: 'originate',
        value: {
          dial: {
            ...dial,
            callerNumber: request.callerNumber || dial.callerNumber,
            callerName: request.callerName,
          },
          program: request.program,
          callId,
          variables: request.variables,
          function: place.function,
        },
      },
    });
    return { leg, nodeId: place.nodeId };
  });
}

interface Seat extends Place {
  readonly sessionId: string;
  /** "general" of FUNCTION_GENERAL. */
  readonly function: string;
}

/** The node of the session that is joined, or of a new one that policy places. */
async function placeFor(
  { places, policy }: DestinationPorts,
  request: OriginateRequest,
  context: CallContext,
  callId: string,
): Promise<Seat> {
  const { tenantId, sessionId } = request;
  if (sessionId !== '') {
    const session = await places.session(sessionId);
    if (session.tenantId !== tenantId)
      throw fail('tenant_forbidden', `session ${sessionId} is not of tenant ${tenantId}`, {
        field: 'session_id',
      });
    return { ...session, sessionId, function: functionWord(session.function) };
  }
  const routed = await call(
    policy,
    'routeSession',
    RouteSessionRequest.fromPartial({
      edgeId: context.actor.slice(0, 63),
      callId,
      method: 'INVITE',
      tenantId,
      function: request.function,
      affinityKey: request.affinityKey,
      role: 'NODE_ROLE_MEDIA',
      requestUri: uriOf(present('destination', request.destination)),
    }),
    { deadlineMs: POLICY_MS },
  );
  const [target] = routed.targets;
  if (!target) throw fail('no_node', 'policy named no node');
  const place = { nodeId: target.nodeId, nodeEpoch: target.epoch, tenantId };
  return { ...place, sessionId: routed.sessionId, function: functionWord(routed.function) };
}

function functionWord(value: string): string {
  return value.replace('FUNCTION_', '').toLowerCase().replaceAll('_', '-');
}

/** What admission looks at: the number that is called, or something that is none. */
function uriOf({ target }: Destination): string {
  const user = target?.$case === 'number' || target?.$case === 'dialled' ? target.value : 'internal';
  return `sip:${encodeURIComponent(user)}@callmesh.invalid`;
}

async function transferBlind(
  ports: DestinationPorts,
  request: TransferBlindRequest,
  context: CallContext,
): Promise<{ nodeId: string; repeated: boolean }> {
  const leg = checkLeg(request.leg);
  const destination = present('destination', request.destination);
  const timeoutS = checkRing('timeout_s', request.timeoutS);
  const { idempotencyKey } = request;
  const what = { idempotencyKey, tenantId: leg.tenantId, request, kind: 'transfer' };
  const done = await ports.commander.once(context, what, async (until): Promise<Done> => {
    const place = await ports.commander.placeOf(context, leg);
    const caller = ports.legs.leg(leg.sessionId, leg.legUuid)?.caller ?? '';
    const program = programFor(await resolve(ports, leg.tenantId, destination, caller, timeoutS));
    if (!program)
      throw fail('precondition_failed', 'nothing answers at this destination', { field: 'destination' });
    const command = { $case: 'run', value: { program, onlyFirst: false } } as const;
    return ports.commander.send(context, place, {
      commandId: commandId(leg.tenantId, idempotencyKey),
      leg,
      until,
      command,
    });
  });
  return { nodeId: done.nodeId, repeated: done.repeated };
}

/** A session ends when all its legs do: each is told. */
async function hangUp(
  ports: DestinationPorts,
  request: HangUpRequest,
  context: CallContext,
): Promise<{ nodeId: string; repeated: boolean }> {
  const leg = checkLeg(request.leg, 'session');
  const { idempotencyKey, cause } = request;
  const command = { $case: 'hangUp', value: { cause } } as const;
  const what = { idempotencyKey, tenantId: leg.tenantId, request, kind: 'hangUp' };
  const done = await ports.commander.once(context, what, async (until): Promise<{ nodeId: string }> => {
    const place = await ports.commander.placeOf(context, leg);
    const legs = leg.legUuid ? [leg.legUuid] : mediaLegs(ports.legs, leg.sessionId);
    if (legs.length === 0) throw fail('session_gone', 'no leg of the session lives');
    for (const legUuid of legs) {
      // Of a whole session each leg gets a command of its own.
      const id = commandId(leg.tenantId, idempotencyKey, leg.legUuid ? '' : legUuid);
      const order = { commandId: id, leg: { ...leg, legUuid }, until, command };
      await ports.commander.send(context, place, order).catch((error: unknown) => {
        // Of several legs one may end while the other is told to.
        if (leg.legUuid || toCallmeshError(error).code !== 'session_gone') throw error;
      });
    }
    return { nodeId: place.nodeId };
  });
  return { nodeId: done.nodeId, repeated: done.repeated };
}

function mediaLegs(legs: LiveLegs, sessionId: string): string[] {
  return legs
    .of(sessionId)
    .filter(({ role }) => role === 'NODE_ROLE_MEDIA')
    .map(({ legUuid }) => legUuid);
}

async function resolve(
  { policy }: DestinationPorts,
  tenantId: string,
  { target }: Destination,
  caller: string,
  timeoutS: number,
): Promise<ResolveDestinationResponse> {
  if (!target)
    throw fail('invalid_argument', 'destination: expected a target', { field: 'destination.target' });
  const dialled: Dialled = {
    target: target.$case === 'dialled' ? { $case: 'user', value: target.value } : target,
  };
  const question = { tenantId, dialled, caller, callerAgent: '', timeoutS };
  return call(policy, 'resolveDestination', question, { deadlineMs: POLICY_MS });
}
