import { type CallmeshError, catalogue, type ErrorCode } from '@callmesh/runtime';
import type { Dialplan } from './dialplan.ts';

/** Refusals that say nothing of the next call. */
const MOMENTARY: ReadonlySet<ErrorCode> = new Set([
  'limit_calls',
  'limit_cps',
  'no_node',
  'unavailable',
  'internal',
]);
/** Somebody inside speaks for what is not its own. */
const FORGERIES: ReadonlySet<ErrorCode> = new Set(['tenant_forbidden', 'unauthenticated']);

export function isForgery(code: ErrorCode): boolean {
  return FORGERIES.has(code);
}

/** The SIP answer a refusal stands for. */
export function refusalIn(context: string, { code }: CallmeshError): Dialplan {
  const { sip, reason } = catalogue[code];
  return {
    context,
    apps: [{ application: 'respond', data: `${sip} ${reason}` }],
    momentary: MOMENTARY.has(code),
    outcome: code,
  };
}
