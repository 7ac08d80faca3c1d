import { fail } from './errors.ts';

/** Resources or entries in a page when the caller does not say. */
const DEFAULT_SIZE = 100;
const MAX_SIZE = 1000;

/** The page size asked for. Errors: invalid_argument. */
export function pageSize(asked: number): number {
  if (asked > MAX_SIZE)
    throw fail('invalid_argument', `page_size: expected 0-${MAX_SIZE}`, { field: 'page_size' });
  return asked || DEFAULT_SIZE;
}

/**
 * A token that continues a list after `after`. It remembers which list it is of,
 * so that it cannot be used to continue another.
 */
export function pageToken(list: string, after: string): string {
  return Buffer.from(JSON.stringify([list, after])).toString('base64url');
}

/** Where a token says to continue; undefined for the first page. Errors: invalid_argument. */
export function afterToken(list: string, token: string): string | undefined {
  if (token === '') return undefined;
  const parsed = parse(token);
  if (Array.isArray(parsed) && parsed.length === 2 && parsed[0] === list && typeof parsed[1] === 'string')
    return parsed[1];
  throw fail(
    'invalid_argument',
    'page_token: expected next_page_token of the page before, of the same list',
    {
      field: 'page_token',
    },
  );
}

function parse(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token, 'base64url').toString());
  } catch {
    return undefined;
  }
}
