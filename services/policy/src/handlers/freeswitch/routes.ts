import type { FastifyInstance, FastifyReply } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { RoutingMetrics } from '../metrics.ts';
import type { Dialplan } from './dialplan.ts';
import { dialplanForm, directoryForm, xmlAnswer } from './schema.ts';
import { type DirectoryUser, dialplanXml, directoryXml, notFoundXml } from './xml.ts';

/** A form of mod_xml_curl has all of a channel's variables, both session descriptions among them, bytes. */
const BODY_LIMIT = 256 * 1024;

export interface FreeswitchPorts {
  dialplan(fields: Readonly<Record<string, string>>): Promise<Dialplan | undefined>;
  directory(fields: Readonly<Record<string, string>>): DirectoryUser | undefined;
  readonly metrics: RoutingMetrics;
}

/** What FreeSWITCH asks by mod_xml_curl, passed on by its node-agent. */
export function freeswitchRoutes(
  server: FastifyInstance,
  common: Record<string, unknown>,
  { dialplan, directory, metrics }: FreeswitchPorts,
): void {
  server.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: BODY_LIMIT },
    (_request, body, done) => done(null, Object.fromEntries(new URLSearchParams(body as string))),
  );
  const typed = server.withTypeProvider<ZodTypeProvider>();
  const schema = (summary: string, body: typeof dialplanForm | typeof directoryForm) => ({
    ...common,
    tags: ['freeswitch'],
    consumes: ['application/x-www-form-urlencoded'],
    produces: ['text/xml'],
    summary,
    body,
    response: { 200: xmlAnswer },
  });
  const options = { bodyLimit: BODY_LIMIT, serializerCompiler: () => (text: unknown) => String(text) };
  typed.post(
    '/v1/freeswitch/dialplan',
    { ...options, schema: schema('What a node does with a call', dialplanForm) },
    async ({ body }, reply) => {
      const answer = await dialplan(body);
      if (!answer) return xml(reply, notFoundXml);
      if (answer.sessionId) reply.header('x-callmesh-session', answer.sessionId);
      // Whoever keeps answers for bad times must not keep this one.
      if (answer.momentary) reply.header('cache-control', 'no-store');
      return xml(reply, dialplanXml(answer.context, answer.apps));
    },
  );
  typed.post(
    '/v1/freeswitch/directory',
    { ...options, schema: schema('A trunk that logs in, or an agent with a mailbox', directoryForm) },
    async ({ body }, reply) => {
      const started = performance.now();
      const user = directory(body);
      metrics.answered('directory', user ? 'ok' : 'not_found', performance.now() - started);
      return xml(reply, user ? directoryXml(user) : notFoundXml);
    },
  );
}

function xml(reply: FastifyReply, text: string): FastifyReply {
  return reply.type('text/xml; charset=utf-8').send(text);
}
