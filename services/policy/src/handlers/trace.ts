import { aboutCall, extract, startFirstStep, withStep } from '@callmesh/runtime';
import type { FastifyReply, FastifyRequest } from 'fastify';

const HEADERS = {
  get: (carrier: FastifyRequest['headers'], key: string) => carrier[key],
  keys: (carrier: FastifyRequest['headers']) => Object.keys(carrier),
};

/**
 * Answers each question as a step of its call's trace. The door names the trace by its
 * Call-ID; here it begins to be recorded, if it is.
 */
export function inTrace(request: FastifyRequest, reply: FastifyReply, next: () => void): void {
  const step = startFirstStep(
    `${request.method} ${request.routeOptions.url}`,
    extract(request.headers, HEADERS),
  );
  reply.raw.once('close', () => step.end(reply.statusCode >= 500 ? `HTTP ${reply.statusCode}` : undefined));
  withStep(step, () => aboutCall({ call_id: callIdOf(request.body) }, next));
}

/** Of an edge's question, or of a channel's variables. */
function callIdOf(body: unknown): string | undefined {
  const { call_id, variable_sip_call_id } = (body ?? {}) as Record<string, unknown>;
  const found = call_id ?? variable_sip_call_id;
  return typeof found === 'string' ? found : undefined;
}
