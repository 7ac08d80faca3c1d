import { type ErrorCode, fail } from '@callmesh/runtime';

/** What is kept of a command under its idempotency key. */
export interface CommandRecord {
  /** Fingerprint of the request. */
  readonly content: string;
  /** Until when the first one may still be under way, milliseconds since 1970. */
  readonly until: number;
  /** What came of it, once that is known. */
  readonly outcome?: Outcome;
}

/** What a command's caller is told: a result, or the error it failed with. */
export type Outcome =
  | { readonly result: Record<string, unknown> }
  | { readonly error: { readonly code: ErrorCode; readonly message: string; readonly field?: string } };

/**
 * What whoever asks again is told of the first one.
 * Errors: that of the first; already_exists for other content, conflict while it is
 * under way, outcome_unknown when whoever did it never said.
 */
export function replay(record: CommandRecord, content: string, now: number): Record<string, unknown> {
  if (record.content !== content)
    throw fail('already_exists', 'this key was used for another request', { field: 'idempotency_key' });
  if (!record.outcome) {
    if (now < record.until) throw fail('conflict', 'the first request with this key is under way');
    throw fail('outcome_unknown', 'nobody said what came of the first request with this key');
  }
  if ('error' in record.outcome) {
    const { code, message, field } = record.outcome.error;
    throw fail(code, message, field === undefined ? {} : { field });
  }
  return record.outcome.result;
}
