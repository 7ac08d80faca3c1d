import type { NodeCommandResult } from '@callmesh/proto/command';
import { type CallmeshError, catalogue, type ErrorCode, fail } from '@callmesh/runtime';

/** Where a field of a request went in what was asked for it: the longest beginning that fits is undone. */
export type Renamed = Readonly<Record<string, string>>;

/** What every command to a leg has. */
const LEG: Renamed = { leg_uuid: 'leg.leg_uuid', session_id: 'leg.session_id', tenant_id: 'leg.tenant_id' };

/**
 * A node agent's refusal as CallControlService says it: in its codes, and naming the
 * field as the caller wrote it.
 */
export function refusalOf(
  { errorCode, errorMessage, errorField }: NodeCommandResult,
  renamed: Renamed,
): CallmeshError {
  const said = Object.hasOwn(catalogue, errorCode) ? (errorCode as ErrorCode) : 'internal';
  return inWordsOf(fail(codeOf(said, errorField), errorMessage, { field: errorField }), {
    ...LEG,
    ...renamed,
  });
}

function codeOf(code: ErrorCode, field: string): ErrorCode {
  // The leg ended with the life of its node that the command was meant for.
  if (code === 'precondition_failed' && field === 'node_epoch') return 'session_gone';
  if (code === 'not_found') return 'session_gone';
  // The agent did not begin it: that is nothing a caller with time left can be blamed for.
  return code === 'deadline' ? 'unavailable' : code;
}

/** The same error, about the field as the caller wrote it. */
export function inWordsOf(error: CallmeshError, renamed: Renamed): CallmeshError {
  const { code, message, cause, retryAfterS } = error;
  const details = { cause, ...(retryAfterS !== undefined && { retryAfterS }) };
  const field = error.field || undefined;
  if (field === undefined) return fail(code, message, details);
  const own = fieldOf(field, renamed);
  const text = message.startsWith(field) ? `${own}${message.slice(field.length)}` : message;
  return fail(code, text, { field: own, ...details });
}

function fieldOf(field: string, renamed: Renamed): string {
  const [longest] = Object.keys(renamed)
    .filter((start) => field.startsWith(start))
    .sort((a, b) => b.length - a.length);
  return longest === undefined ? field : `${renamed[longest]}${field.slice(longest.length)}`;
}
