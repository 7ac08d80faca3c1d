import { timingSafeEqual } from 'node:crypto';
import { type Component, splitAddress } from '@callmesh/runtime';
import Fastify, { type FastifyInstance } from 'fastify';
import { asksForCarriers, type Section, sections } from '../../domain/xml/question.ts';
import { NOT_FOUND } from './documents.ts';

/** A channel's variables, SDP and all, fit well within this, bytes. */
const BODY_LIMIT = 256 * 1024;
const FORM = 'application/x-www-form-urlencoded';

export interface XmlPorts {
  /** "host:port"; loopback. */
  readonly listen: string;
  /** What FreeSWITCH authenticates with: the event socket's password. */
  readonly password: string;
  /** What policy answers, or answered last; undefined: nobody knows. `body` is the form as it came. */
  readonly ask: (section: Section, fields: URLSearchParams, body: string) => Promise<string | undefined>;
  /** The carriers' trunks of this node, where it has any. */
  readonly carriers: (fields: URLSearchParams) => string | undefined;
}

/** Where FreeSWITCH's mod_xml_curl asks what is not in its files. */
export function xmlEndpoint(ports: XmlPorts): Component & { readonly address: string } {
  const server = build(ports);
  let address = ports.listen;
  return {
    name: 'xml-endpoint',
    get address() {
      return address;
    },
    async start() {
      const { host, port } = splitAddress(ports.listen);
      const url = new URL(await server.listen({ host, port }));
      address = `${url.hostname}:${url.port}`;
    },
    async stop() {
      server.server.closeAllConnections();
      await server.close();
    },
  };
}

function build({ password, ask, carriers }: XmlPorts): FastifyInstance {
  const server = Fastify({ bodyLimit: BODY_LIMIT, forceCloseConnections: true });
  const expected = Buffer.from(`Basic ${Buffer.from(`freeswitch:${password}`).toString('base64')}`);
  server.removeAllContentTypeParsers();
  server.addContentTypeParser(FORM, { parseAs: 'string' }, (_request, body, done) => done(null, body));
  server.addHook('onRequest', async (request, reply) => {
    const given = Buffer.from(request.headers.authorization ?? '');
    if (given.length === expected.length && timingSafeEqual(given, expected)) return;
    await reply.status(401).header('www-authenticate', 'Basic').send();
  });
  for (const section of sections) {
    server.post<{ Body: string }>(`/v1/freeswitch/${section}`, async ({ body }, reply) => {
      const fields = new URLSearchParams(body);
      const document = asksForCarriers(section, fields) ? carriers(fields) : await ask(section, fields, body);
      return reply.type('text/xml').send(document ?? NOT_FOUND);
    });
  }
  return server;
}
