import { CallmeshError, type ErrorCode, fail } from '../errors.ts';

/** SQLSTATE (PostgreSQL appendix A), by code or by its class of two characters. */
const bySqlState: Record<string, readonly [ErrorCode, string]> = {
  // A store checks these itself, in words; here is what slipped through.
  '23505': ['already_exists', 'another row has it already'],
  '23503': ['precondition_failed', 'something refers to it, or what it refers to is missing'],
  '22021': ['invalid_argument', 'text contains a character the database does not take'],
  '40001': ['conflict', 'somebody else changed it first'],
  '40P01': ['conflict', 'somebody else changed it first'],
  '08': ['unavailable', 'the database does not answer'],
  '53': ['unavailable', 'the database is short of resources'],
  '57': ['unavailable', 'the database is going down or cancelled the statement'],
  '25006': ['unavailable', 'the database is read-only'],
};

/** What a database threw, as a CallmeshError; what is none of the known stays as it is: a fault. */
export function fromDatabaseError(thrown: unknown): unknown {
  if (thrown instanceof CallmeshError || !(thrown instanceof Error)) return thrown;
  const code = (thrown as { code?: unknown }).code;
  const state = typeof code === 'string' ? code : '';
  const known = bySqlState[state] ?? bySqlState[state.slice(0, 2)];
  if (known && /^[0-9A-Z]{5}$/.test(state)) return fail(known[0], known[1], { cause: thrown });
  if (/^E[A-Z]+$/.test(state) || /connection|timeout/i.test(thrown.message))
    return fail('unavailable', 'the database does not answer', { cause: thrown });
  return thrown;
}

/** Runs one piece of database work with its errors mapped. */
export async function mapped<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fromDatabaseError(error);
  }
}
