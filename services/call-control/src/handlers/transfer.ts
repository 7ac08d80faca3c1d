import type { CommandResponse, TransferBlindRequest } from '@callmesh/proto/control';
import type { Program, Step } from '@callmesh/proto/program';
import { type CallContext, fail } from '@callmesh/runtime';
import type { Decisions } from '../adapters/decisions.ts';
import type { Places } from '../adapters/places.ts';
import { programFor } from '../domain/application/program.ts';
import { checkLeg, checkRing, present } from '../domain/check.ts';
import { commandId } from '../domain/fingerprint.ts';
import { farEnd, type KnownLeg } from '../domain/live-legs.ts';
import type { Commander } from './commander.ts';

export interface TransferPorts {
  readonly commander: Commander;
  readonly places: Places;
  readonly decisions: Decisions;
}

/** Sends a leg to what a destination is, as the default application would have. */
export function transferBlind({ commander, places, decisions }: TransferPorts) {
  return async (request: TransferBlindRequest, context: CallContext): Promise<CommandResponse> => {
    const { idempotencyKey } = request;
    const leg = checkLeg(request.leg);
    const { tenantId, sessionId, legUuid } = leg;
    const destination = present('destination', request.destination);
    const timeoutS = checkRing('timeout_s', request.timeoutS);
    const task = { rpc: 'transferBlind', idempotencyKey, tenantId, sessionId, request };
    const { nodeId, repeated } = await commander.once(context, task, async (end) => {
      const place = await commander.placeOf(context, leg, end);
      const known = places.leg(legUuid);
      const who = { caller: known ? farEnd(known) : '', callerAgent: known?.agentId ?? '' };
      const resolved = await decisions.resolve({ tenantId, destination, ...who, timeoutS }, end);
      const program = presenting(known, programFor(resolved));
      return commander.send(context, place, {
        commandId: commandId(tenantId, idempotencyKey),
        leg,
        end,
        command: { $case: 'run', value: { program, onlyFirst: false } },
        renamed: { 'run.program': 'destination' },
      });
    });
    return { nodeId, repeated };
  };
}

/** Whoever was called by us is, to whom it is transferred, the one who calls. */
function presenting(known: KnownLeg | undefined, program: Program | undefined): Program {
  if (!program) {
    const field = 'destination';
    throw fail('precondition_failed', `${field}: nothing answers there: it waits for commands`, { field });
  }
  if (!known?.outbound) return program;
  return { steps: program.steps.map((step) => withCaller(step, farEnd(known))) };
}

function withCaller({ step }: Step, number: string): Step {
  if (step?.$case !== 'dial') return { step };
  const { callerNumber } = step.value;
  return { step: { $case: 'dial', value: { ...step.value, callerNumber: callerNumber || number } } };
}
