import type { LegRef, OriginateRequest, OriginateResponse } from '@callmesh/proto/control';
import type { Dial } from '@callmesh/proto/program';
import { FunctionMessage } from '@callmesh/proto/tenant';
import { type CallContext, fail, toCallmeshError } from '@callmesh/runtime';
import type { Decisions } from '../adapters/decisions.ts';
import type { Place, Places } from '../adapters/places.ts';
import { checkRing, checkSessionId, checkTenant, present } from '../domain/check.ts';
import { commandId } from '../domain/fingerprint.ts';
import type { Renamed } from '../domain/refusal.ts';
import type { Access } from './access.ts';
import type { Commander, Dispatch } from './commander.ts';

export interface OriginatePorts {
  readonly commander: Commander;
  readonly access: Access;
  readonly places: Places;
  readonly decisions: Decisions;
  /** A new channel UUID. */
  readonly newUuid: () => string;
}

/** Where a leg may be: the nodes in order, and the session. */
interface Seat {
  readonly places: readonly Place[];
  readonly sessionId: string;
  readonly function: FunctionMessage;
}

const RENAMED: Renamed = {
  'originate.dial': 'destination',
  'originate.dial.caller_': 'caller_',
  'originate.program': 'program',
  'originate.variables': 'variables',
};

/** Calls somebody, on the node of a session that lives or of a new one. */
export function originate(ports: OriginatePorts) {
  return (request: OriginateRequest, context: CallContext): Promise<OriginateResponse> => {
    const { idempotencyKey } = request;
    const tenantId = checkTenant('tenant_id', request.tenantId);
    const sessionId = request.sessionId && checkSessionId('session_id', request.sessionId);
    const destination = present('destination', request.destination);
    const timeoutS = checkRing('timeout_s', request.timeoutS);
    const task = { rpc: 'originate', idempotencyKey, tenantId, sessionId, request };
    return ports.commander.once(context, task, async (end) => {
      const caller = { caller: request.callerNumber, callerAgent: '' };
      const { dial } = await ports.decisions.resolve({ tenantId, destination, ...caller, timeoutS }, end);
      const legUuid = ports.newUuid();
      const callId = `${legUuid}@callmesh`;
      const value = commandOf(request, dialable(dial), callId);
      const seat = await seatFor(ports, context, { ...request, destination }, callId, end);
      const leg: LegRef = { tenantId, sessionId: seat.sessionId, legUuid };
      const nodeId = await takeSeat(ports, context, seat.places, {
        commandId: commandId(tenantId, idempotencyKey),
        leg,
        end,
        command: { $case: 'originate', value: { ...value, function: wordOf(seat.function) } },
        renamed: RENAMED,
      });
      return { leg, nodeId };
    });
  };
}

function dialable(dial: Dial | undefined): Dial {
  const field = 'destination';
  if (!dial)
    throw fail('precondition_failed', `${field}: nobody who can be called, only transferred to`, { field });
  if (dial.groups.length > 1)
    throw fail('precondition_failed', `${field}: rings one after another, which only a leg's program can`, {
      field,
    });
  return dial;
}

/** Whom the called one sees: what policy shows by the rules of the way, else what the request says. */
function commandOf(request: OriginateRequest, dial: Dial, callId: string) {
  const { callerNumber, callerName, program, variables } = request;
  const presented = {
    callerNumber: dial.callerNumber || callerNumber,
    callerName: callerName || dial.callerName,
  };
  return { dial: { ...dial, ...presented }, program, callId, variables };
}

/** The node of the session that is joined, or those policy names for a new one. */
async function seatFor(
  { access, places, decisions }: OriginatePorts,
  context: CallContext,
  request: OriginateRequest & { destination: NonNullable<OriginateRequest['destination']> },
  callId: string,
  end: number,
): Promise<Seat> {
  const { tenantId, sessionId, affinityKey } = request;
  if (sessionId !== '') {
    const session = await places.session(sessionId, end);
    access.checkOwner(context, tenantId, session.tenantId, `session ${sessionId}`, 'command');
    return { places: [session], sessionId, function: session.function };
  }
  const isNamed = request.function !== FunctionMessage.FUNCTION_UNSPECIFIED;
  const purpose = isNamed ? request.function : FunctionMessage.FUNCTION_GENERAL;
  const routed = await decisions.route({ tenantId, callId, function: purpose, affinityKey }, end);
  const targets = routed.targets.map(({ nodeId, epoch }) => ({ nodeId, nodeEpoch: epoch }));
  return { places: targets, sessionId: routed.sessionId, function: routed.function };
}

/** The first node that takes it: the next is only asked when nothing was done at the one before. */
async function takeSeat(
  { commander }: OriginatePorts,
  context: CallContext,
  places: readonly Place[],
  dispatch: Dispatch,
): Promise<string> {
  let refusal = fail('no_node', 'no node takes the session');
  for (const place of places) {
    try {
      return (await commander.send(context, place, dispatch)).nodeId;
    } catch (error) {
      refusal = toCallmeshError(error);
      // A node that was restarted since it was chosen has no session of this one to be gone.
      if (refusal.code === 'session_gone')
        refusal = fail('unavailable', `node ${place.nodeId} was restarted meanwhile`, { cause: error });
      if (refusal.code !== 'unavailable') break;
    }
  }
  throw refusal;
}

/** "outbound-bot" of FUNCTION_OUTBOUND_BOT, as the header X-Callmesh-Function has it. */
function wordOf(value: FunctionMessage): string {
  return value.replace('FUNCTION_', '').toLowerCase().replaceAll('_', '-');
}
