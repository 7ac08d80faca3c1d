import type { Destination } from '@callmesh/proto/control';
import { NodeRole } from '@callmesh/proto/node';
import {
  type Dialled,
  type PolicyServiceClient,
  type ResolveDestinationRequest,
  type ResolveDestinationResponse,
  RouteSessionRequest,
  type RouteSessionResponse,
} from '@callmesh/proto/policy';
import { call, fail, toCallmeshError } from '@callmesh/runtime';
import { inWordsOf } from '../domain/refusal.ts';
import { within } from '../domain/time.ts';

const DEADLINE_MS = 1_500;

/** Whom a destination is resolved for. */
export type Question = Omit<ResolveDestinationRequest, 'dialled'> & { readonly destination: Destination };

/** A session that is to be. */
export type NewSession = Pick<RouteSessionRequest, 'tenantId' | 'callId' | 'function' | 'affinityKey'>;

/** What policy decides for commands; its refusals name the fields of CallControlService. */
export class Decisions {
  readonly #policy: PolicyServiceClient;
  readonly #instance: string;

  constructor(policy: PolicyServiceClient, instance: string) {
    this.#policy = policy;
    this.#instance = instance;
  }

  /** What a destination is, and the ways to it. Errors: those of ResolveDestination. */
  resolve({ destination, ...question }: Question, end: number): Promise<ResolveDestinationResponse> {
    const dialled = dialledOf(destination);
    return this.#ask(end, (deadlineMs) =>
      call(this.#policy, 'resolveDestination', { ...question, dialled }, { deadlineMs }),
    );
  }

  /** Binds a new session to a media node; whom it calls, `resolve` has said. Errors: those of RouteSession. */
  route(session: NewSession, end: number): Promise<RouteSessionResponse> {
    const role = NodeRole.NODE_ROLE_MEDIA;
    const request = RouteSessionRequest.fromPartial({ ...session, edgeId: this.#instance, role });
    return this.#ask(end, (deadlineMs) => call(this.#policy, 'routeSession', request, { deadlineMs }));
  }

  async #ask<T>(end: number, question: (deadlineMs: number) => Promise<T>): Promise<T> {
    try {
      return await question(within(end, DEADLINE_MS, Date.now()));
    } catch (error) {
      throw inWordsOf(toCallmeshError(error), { dialled: 'destination' });
    }
  }
}

function dialledOf({ target }: Destination): Dialled {
  if (!target)
    throw fail('invalid_argument', 'destination: expected a target', { field: 'destination.target' });
  return { target: target.$case === 'dialled' ? { $case: 'user', value: target.value } : target };
}
