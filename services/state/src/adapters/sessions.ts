import { CdrServiceClient } from '@callmesh/proto/cdr';
import { CallControlServiceClient } from '@callmesh/proto/control';
import { type Binding, SessionCacheServiceClient } from '@callmesh/proto/session';
import { type App, call, grpcClient, toCallmeshError } from '@callmesh/runtime';
import type { Known } from '../domain/console/story.ts';
import type { Recent } from '../domain/recent.ts';

const DEADLINE_MS = 2_000;
const SESSION_ID = /^[0-9a-f]{16}$/;
const ROLES = ['NODE_ROLE_MEDIA', 'NODE_ROLE_ROUTER', 'NODE_ROLE_TANDEM'] as const;
const NOT_THERE = ['not_found', 'session_gone'];

/** Asks those who know of sessions. A service that does not answer is missing, and hides nothing of the others. */
export class Sessions {
  readonly #recent: Recent;
  readonly #cache: SessionCacheServiceClient;
  readonly #control: CallControlServiceClient;
  readonly #records: CdrServiceClient;

  constructor(app: App, recent: Recent, services: { session_cache: string; call_control: string }) {
    this.#recent = recent;
    this.#cache = grpcClient(app, SessionCacheServiceClient, services.session_cache);
    this.#control = grpcClient(app, CallControlServiceClient, services.call_control);
    this.#records = grpcClient(app, CdrServiceClient, services.call_control);
  }

  /** The first sessions on a node, in order of id, and how many there are. Errors: unavailable, deadline. */
  async on(nodeId: string, count: number): Promise<{ bindings: Binding[]; total: number }> {
    const page = { nodeId, tenantId: '', pageSize: count, pageToken: '' };
    return call(this.#cache, 'list', page, { deadlineMs: DEADLINE_MS });
  }

  /** All that is known of a session id, or of a Call-ID; a tenant is needed where no decision is kept. */
  async know(key: string, tenant: string): Promise<Known> {
    const missing: string[] = [];
    const byKey = SESSION_ID.test(key) ? { sessionId: key, callId: '' } : { sessionId: '', callId: key };
    const any = { tenantId: tenant, nodeId: '', limit: 20 };
    const { decisions, moves } = this.#recent.find({ ...byKey, ...any });
    const decided = decisions.find(({ sessionId }) => sessionId !== '');
    const sessionId = byKey.sessionId || decided?.sessionId || '';
    const binding = await orMissing(
      missing,
      'session-cache',
      this.#binding(sessionId, key, tenant || decided?.tenantId || ''),
    );
    const whose = {
      tenantId: binding?.tenantId || decided?.tenantId || tenant,
      sessionId: binding?.sessionId || sessionId,
    };
    const [live, record] = whose.tenantId && whose.sessionId ? await this.#told(whose, missing) : [];
    return {
      decisions,
      moves,
      binding,
      legs: binding ? (live?.legs ?? []) : [],
      record,
      missing: [...new Set(missing)],
    };
  }

  #told(whose: { tenantId: string; sessionId: string }, missing: string[]) {
    const within = { deadlineMs: DEADLINE_MS };
    return Promise.all([
      orMissing(missing, 'call-control', call(this.#control, 'getSession', whose, within)),
      orMissing(missing, 'call-control', call(this.#records, 'getSession', whose, within)),
    ]);
  }

  async #binding(sessionId: string, callId: string, tenantId: string): Promise<Binding | undefined> {
    const get = (key: { $case: 'sessionId' | 'callId'; value: string }, role: string) =>
      orNothing(call(this.#cache, 'get', { tenantId, key, role } as never, { deadlineMs: DEADLINE_MS }));
    if (sessionId) return get({ $case: 'sessionId', value: sessionId }, 'NODE_ROLE_UNSPECIFIED');
    if (!tenantId) return undefined;
    const found = await Promise.all(ROLES.map((role) => get({ $case: 'callId', value: callId }, role)));
    return found.find((binding) => binding !== undefined);
  }
}

async function orNothing<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (NOT_THERE.includes(toCallmeshError(error).code)) return undefined;
    throw error;
  }
}

async function orMissing<T>(missing: string[], service: string, asked: Promise<T>): Promise<T | undefined> {
  try {
    return await orNothing(asked);
  } catch {
    missing.push(service);
    return undefined;
  }
}
