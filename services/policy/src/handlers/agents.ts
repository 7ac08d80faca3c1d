import { createHash } from 'node:crypto';
import { type ErrorCode, fail, type Refusal, toCallmeshError } from '@callmesh/runtime';
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Logger } from 'pino';
import { z } from 'zod';
import { decideRegistration } from '../domain/register.ts';
import { hostOf } from '../domain/sip-uri.ts';
import type { Mesh } from '../mesh.ts';
import { registrationFrom, requestFrom } from './answer.ts';
import type { RoutingMetrics } from './metrics.ts';
import {
  type AuditRequest,
  auditRequest,
  type RegisterAnswer,
  refusal,
  registerAnswer,
  type SessionRequest,
  sessionRequest,
} from './schema.ts';

/** A start takes moments. */
const RETRY_S = 1;

export interface AgentsPorts {
  audit(refusal: Refusal): void;
  readonly metrics: RoutingMetrics;
  /** Longest registration, seconds. */
  readonly expiresS: number;
  readonly log: Logger;
}

/** Refusals somebody has to answer for; a full group or a missing password is none. */
const AUDITED: ReadonlySet<ErrorCode> = new Set([
  'unauthenticated',
  'tenant_forbidden',
  'origin_forbidden',
  'tenant_disabled',
  'agent_disabled',
]);

/** What the code of a refusal is that an edge made by itself. */
const CODES: Record<AuditRequest['what'], ErrorCode> = {
  origin: 'origin_forbidden',
  replay: 'unauthenticated',
  register: 'tenant_forbidden',
  call: 'unauthenticated',
};

/** What the agents' door asks and tells beside where a session goes. */
export class AgentsDesk {
  readonly #mesh: Mesh;
  readonly #ports: AgentsPorts;

  constructor(mesh: Mesh, ports: AgentsPorts) {
    this.#mesh = mesh;
    this.#ports = ports;
  }

  /** Which router keeps a registration. Errors: those of decideRegistration; unavailable while nothing is known of the mesh yet. */
  register(body: SessionRequest): RegisterAnswer {
    const started = performance.now();
    try {
      if (!this.#mesh.known)
        throw fail('unavailable', 'tenants and nodes are not known yet', { retryAfterS: RETRY_S });
      const answer = registrationFrom(
        decideRegistration(requestFrom(body), this.#mesh),
        this.#ports.expiresS,
      );
      this.#record(body, 'ok', started, { tenant: answer.tenant, node: answer.node, reason: answer.reason });
      return answer;
    } catch (error) {
      const { code, message } = toCallmeshError(error);
      this.refused('register', body, error);
      this.#record(body, code, started, { reason: message });
      throw error;
    }
  }

  /** Tells of a refusal once, however often the edge asks about the same request. */
  refused(what: 'register' | 'call', body: SessionRequest, error: unknown): void {
    const { code, message } = toCallmeshError(error);
    if (!AUDITED.has(code) || this.#mesh.nodes.get(body.edge)?.role === 'kama-pstn') return;
    const request = `${what} ${body.edge} ${body.call_id} ${body.authorization} ${code}`;
    this.#ports.audit({
      id: createHash('sha256').update(request).digest('hex').slice(0, 32),
      what,
      code,
      tenantId: this.#tenantAt(hostOf(what === 'register' ? body.to_uri : body.from_uri)),
      actor: body.source_address,
      detail: `${body.edge}: ${message}`,
    });
  }

  /** An edge tells what it refused by itself. */
  told({ edge, what, source_address, domain, detail }: AuditRequest): void {
    this.#ports.audit({
      what,
      code: CODES[what],
      tenantId: this.#tenantAt(domain),
      actor: source_address,
      detail: `${edge}: ${detail}`,
    });
  }

  #tenantAt(domain: string): string {
    return this.#mesh.directory.tenantByDomain(domain)?.id ?? '';
  }

  #record(body: SessionRequest, code: string, started: number, more: Record<string, unknown>): void {
    const ms = performance.now() - started;
    this.#ports.metrics.answered('registration', code, ms);
    const { call_id, edge, source_address: source } = body;
    this.#ports.log.info(
      { call_id, edge, source, code, ...more, ms: Math.round(ms * 1000) / 1000 },
      'registration',
    );
  }
}

/** The paths of the agents' door. */
export function agentsRoutes(
  server: FastifyInstance,
  common: Record<string, unknown>,
  desk: Pick<AgentsDesk, 'register' | 'told'>,
): void {
  const typed = server.withTypeProvider<ZodTypeProvider>();
  const refusals = Object.fromEntries([400, 401, 403, 413, 500, 503].map((status) => [status, refusal]));
  typed.post(
    '/v1/routes/register',
    {
      schema: {
        ...common,
        tags: ['routes'],
        summary: 'Who an agent is, and which router keeps its registration',
        body: sessionRequest,
        response: { 200: registerAnswer, ...refusals },
      },
    },
    async ({ body }) => desk.register(body),
  );
  typed.post(
    '/v1/audit',
    {
      schema: {
        ...common,
        tags: ['audit'],
        summary: 'What an edge refused by itself',
        body: auditRequest,
        response: { 202: z.object({}), ...refusals },
      },
    },
    async ({ body }, reply) => {
      desk.told(body);
      return reply.status(202).send({});
    },
  );
}
