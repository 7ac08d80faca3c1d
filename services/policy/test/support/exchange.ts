import type { Refusal } from '@callmesh/runtime';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { convert } from 'xmlbuilder2';
import type { Contact } from '../../src/domain/model.ts';
import { AgentsDesk } from '../../src/handlers/agents.ts';
import { DialplanAnswerer } from '../../src/handlers/freeswitch/dialplan.ts';
import { directoryAnswerer } from '../../src/handlers/freeswitch/directory.ts';
import { buildHttp } from '../../src/handlers/http.ts';
import type { RoutingMetrics } from '../../src/handlers/metrics.ts';
import { SessionRouter } from '../../src/handlers/session-router.ts';
import { Mesh } from '../../src/mesh.ts';
import { base } from './golden.ts';
import { lay } from './lay.ts';
import { fillSnapshot } from './world.ts';
import { world } from './world-schema.ts';

export const TOKEN = 'a-token-of-enough-length';
/** Id of every session that is new. */
export const SESSION = '5e55100000000001';

/** What FreeSWITCH was told. */
interface Told {
  readonly status: number;
  /** "application data", in order. */
  readonly actions: string[];
  readonly text: string;
  readonly headers: Record<string, unknown>;
}

/** Policy's HTTP side over a golden world, asked as FreeSWITCH and Kamailio ask. */
export interface Exchange {
  readonly mesh: Mesh;
  readonly server: FastifyInstance;
  readonly refusals: Refusal[];
  readonly outcomes: string[];
  /** Agent to live contacts; undefined: session-cache does not answer. */
  contacts: Record<string, Contact[]> | undefined;
  dialplan(fields: Record<string, string>): Promise<Told>;
  directory(fields: Record<string, string>): Promise<Told>;
  /** A question of an edge. */
  edge(path: string, body: unknown): Promise<{ status: number; body: Record<string, unknown> }>;
}

export async function openExchange(given: unknown = {}): Promise<Exchange> {
  const mesh = new Mesh({ bindingLimit: 1_000, now: 0, premiumPrefixes: ['+882'] });
  fillSnapshot(mesh, world.parse(lay(base, given)));
  mesh.known = true;
  mesh.nodes.current = true;
  mesh.usage.silentSince = undefined;
  const refusals: Refusal[] = [];
  const outcomes: string[] = [];
  const log = pino({ level: 'silent' });
  const metrics: RoutingMetrics = {
    decided() {},
    routed() {},
    answered: (question, outcome) => void outcomes.push(`${question} ${outcome}`),
  };
  const router = new SessionRouter(mesh, {
    bind: async (proposal) => proposal,
    announce() {},
    newSessionId: () => SESSION,
    tell() {},
    metrics,
    log,
  });
  const dialplan = new DialplanAnswerer(mesh, {
    router,
    contacts: async (agent) => {
      if (!exchange.contacts) throw new Error('silent');
      return exchange.contacts[agent] ?? [];
    },
    audit: (refusal) => void refusals.push(refusal),
    progressS: 12,
    metrics,
    log,
  });
  const agents = new AgentsDesk(mesh, {
    audit: (refusal) => void refusals.push(refusal),
    metrics,
    expiresS: 300,
    log,
  });
  const server = await buildHttp(
    { listen: '', token: TOKEN, version: '0' },
    {
      router,
      dialog: () => Promise.reject(new Error('not asked here')),
      agents,
      freeswitch: {
        dialplan: (fields) => dialplan.answer(fields),
        directory: directoryAnswerer(mesh),
        metrics,
      },
      log,
    },
  );
  const ask = async (what: string, fields: Record<string, string>): Promise<Told> => {
    const { statusCode, payload, headers } = await server.inject({
      method: 'POST',
      url: `/v1/freeswitch/${what}`,
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/x-www-form-urlencoded' },
      payload: new URLSearchParams(fields).toString(),
    });
    return { status: statusCode, actions: actionsOf(payload), text: payload, headers };
  };
  const exchange: Exchange = {
    mesh,
    server,
    refusals,
    outcomes,
    contacts: {},
    dialplan: (fields) => ask('dialplan', fields),
    directory: (fields) => ask('directory', fields),
    async edge(path, body) {
      const headers = { authorization: `Bearer ${TOKEN}` };
      const answer = await server.inject({ method: 'POST', url: path, headers, payload: body as object });
      return { status: answer.statusCode, body: answer.json() as Record<string, unknown> };
    },
  };
  return exchange;
}

/** The actions of a document as an XML reader sees them. */
export function actionsOf(text: string): string[] {
  if (!text.startsWith('<document')) return [];
  const read = convert(text, { format: 'object' }) as Record<string, unknown>;
  const found = walk(read, ['document', 'section', 'context', 'extension', 'condition', 'action']);
  return [found].flat().flatMap((action) => {
    const { '@application': application, '@data': data } = (action ?? {}) as Record<string, string>;
    return application === undefined ? [] : [`${application} ${unescaped(data!)}`];
  });
}

/** The reader leaves entities in attributes as they are. */
function unescaped(text: string): string {
  const entities: Record<string, string> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };
  return text.replace(/&(\w+);/g, (_, name: string) => entities[name] ?? '?');
}

function walk(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((at, step) => (at as Record<string, unknown> | undefined)?.[step], value);
}
