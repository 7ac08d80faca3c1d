import { timingSafeEqual } from 'node:crypto';
import {
  type CallmeshError,
  type Component,
  fail,
  splitAddress,
  toCallmeshError,
  toHttpError,
} from '@callmesh/runtime';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import Fastify, { type FastifyError, type FastifyInstance } from 'fastify';
import {
  jsonSchemaTransform,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod';
import type { Logger } from 'pino';
import { type AgentsDesk, agentsRoutes } from './agents.ts';
import { answerFrom, requestFrom } from './answer.ts';
import { type FreeswitchPorts, freeswitchRoutes } from './freeswitch/routes.ts';
import {
  type DialogAnswer,
  type DialogRequest,
  dialogAnswer,
  dialogRequest,
  refusal,
  sessionAnswer,
  sessionRequest,
} from './schema.ts';
import type { SessionRouter } from './session-router.ts';
import { inTrace } from './trace.ts';

/** A SIP request's headers that policy asks for fit well within this, bytes. */
const BODY_LIMIT = 16 * 1024;
/** Kamailio keeps its connections; longer than the pauses between calls. */
const KEEP_ALIVE_MS = 72_000;

export interface HttpOptions {
  readonly listen: string;
  /** Bearer token every request under /v1 must carry. */
  readonly token: string;
  /** Others that are taken as well, while it is changed. */
  readonly accepted?: readonly string[];
  readonly version: string;
}

export interface HttpPorts {
  readonly router: Pick<SessionRouter, 'route'>;
  dialog(body: DialogRequest): Promise<DialogAnswer>;
  readonly agents: Pick<AgentsDesk, 'register' | 'refused' | 'told'>;
  readonly freeswitch: FreeswitchPorts;
  readonly log: Logger;
}

/** Builds the HTTP API that Kamailio and FreeSWITCH ask; its OpenAPI document is at /docs. */
export async function buildHttp(options: HttpOptions, ports: HttpPorts): Promise<FastifyInstance> {
  const server = Fastify({
    bodyLimit: BODY_LIMIT,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: 'idle',
  });
  server.setValidatorCompiler(validatorCompiler);
  server.setSerializerCompiler(serializerCompiler);
  server.setErrorHandler((error, _request, reply) => {
    const refused = refusalOf(error as FastifyError);
    if (refused.code === 'internal') ports.log.error({ err: refused.cause ?? error }, 'request failed');
    const { status, body } = toHttpError(refused);
    if (body.retry_after !== undefined) reply.header('retry-after', body.retry_after);
    return reply.status(status).send(body);
  });
  server.setNotFoundHandler((_request, reply) => {
    const { status, body } = toHttpError(fail('not_found', 'no such path'));
    return reply.status(status).send(body);
  });
  await server.register(swagger, { openapi: openapi(options.version), transform: jsonSchemaTransform });
  await server.register(swaggerUi, { routePrefix: '/docs' });
  await server.register((scope) => routes(scope, [options.token, ...(options.accepted ?? [])], ports));
  return server;
}

async function routes(
  server: FastifyInstance,
  tokens: readonly string[],
  { router, dialog, agents, freeswitch }: HttpPorts,
): Promise<void> {
  const expected = tokens.map((token) => Buffer.from(`Bearer ${token}`));
  server.addHook('onRequest', async (request, reply) => {
    const given = Buffer.from(request.headers.authorization ?? '');
    if (expected.some((one) => given.length === one.length && timingSafeEqual(given, one))) return;
    // Tells Kamailio that its own token is refused, not the caller's credentials.
    reply.header('www-authenticate', 'Bearer');
    throw fail('unauthenticated', 'expected a valid bearer token');
  });
  server.addHook('preHandler', inTrace);
  const typed = server.withTypeProvider<ZodTypeProvider>();
  const refusals = Object.fromEntries(
    [400, 401, 403, 404, 413, 429, 500, 503].map((status) => [status, refusal]),
  );
  const common = { tags: ['routes'], security: [{ bearer: [] }] };
  typed.post(
    '/v1/routes/session',
    {
      schema: {
        ...common,
        summary: 'Where a new session goes',
        body: sessionRequest,
        response: { 200: sessionAnswer, ...refusals },
      },
    },
    async ({ body }) => {
      try {
        return answerFrom(await router.route(requestFrom(body)));
      } catch (error) {
        agents.refused('call', body, error);
        throw error;
      }
    },
  );
  typed.post(
    '/v1/routes/dialog',
    {
      schema: {
        ...common,
        summary: 'Where a session lives now whose node is not up',
        body: dialogRequest,
        response: { 200: dialogAnswer, ...refusals },
      },
    },
    ({ body }) => dialog(body),
  );
  agentsRoutes(server, { security: common.security }, agents);
  freeswitchRoutes(server, { security: common.security }, freeswitch);
}

/** What fastify itself refuses, in the words of the error catalogue. */
function refusalOf(error: FastifyError): CallmeshError {
  if (error.validation) {
    const field = error.validation[0]?.instancePath.replace(/^\//, '').replaceAll('/', '.');
    return fail('invalid_argument', error.validation[0]?.message ?? error.message, {
      field: field || undefined,
    });
  }
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') return fail('too_large', 'the body is too large');
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500)
    return fail('invalid_argument', error.message);
  return toCallmeshError(error);
}

function openapi(version: string) {
  return {
    info: {
      title: 'callmesh policy',
      description:
        'Decides which node takes a session, and where FreeSWITCH brings a call. Asked by Kamailio for every new INVITE, and by FreeSWITCH through its node-agent.',
      version,
    },
    components: { securitySchemes: { bearer: { type: 'http' as const, scheme: 'bearer' } } },
  };
}

/** The API as a part of the service: listens on start, finishes what is in flight on drain. */
export function httpApi(options: HttpOptions, ports: HttpPorts): Component & { readonly address: string } {
  let server: FastifyInstance | undefined;
  let address = options.listen;
  return {
    name: 'http-api',
    get address() {
      return address;
    },
    async start() {
      server = await buildHttp(options, ports);
      const { host, port } = splitAddress(options.listen);
      const url = new URL(await server.listen({ host, port }));
      address = `${url.hostname}:${url.port}`;
    },
    async drain() {
      await server?.close();
    },
    async stop() {
      server?.server.closeAllConnections();
    },
  };
}
