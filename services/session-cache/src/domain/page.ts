import { fail } from '@callmesh/runtime';

const DEFAULT_SIZE = 100;
const MAX_SIZE = 1000;

export interface Page<T> {
  readonly items: T[];
  /** Empty on the last page. */
  readonly next: string;
  readonly total: number;
}

/**
 * One page of `all` in order of a key, without sorting what is not on it: a
 * hundred thousand sessions are walked in milliseconds. The token is the last
 * key of the page before, so pages stay right while the set changes.
 */
export function pageOf<T>(
  all: Iterable<T>,
  keyOf: (item: T) => string,
  pageSize: number,
  token: string,
): Page<T> {
  if (pageSize > MAX_SIZE)
    throw fail('invalid_argument', `page_size: expected at most ${MAX_SIZE}`, { field: 'page_size' });
  const size = pageSize || DEFAULT_SIZE;
  const after = decodeToken(token);
  let total = 0;
  let more = false;
  // Collect up to twice a page, then cut back: each cut sorts 2n items and halves them.
  let kept: { key: string; item: T }[] = [];
  let highest: string | undefined;
  for (const item of all) {
    total += 1;
    const key = keyOf(item);
    if (after !== undefined && key <= after) continue;
    if (highest !== undefined && key > highest) {
      more = true;
      continue;
    }
    kept.push({ key, item });
    if (kept.length < 2 * size) continue;
    kept = cut(kept, size);
    highest = kept.at(-1)!.key;
    more = true;
  }
  more ||= kept.length > size;
  kept = cut(kept, size);
  return {
    items: kept.map(({ item }) => item),
    next: more ? Buffer.from(kept.at(-1)!.key).toString('base64url') : '',
    total,
  };
}

function cut<T>(kept: { key: string; item: T }[], size: number): { key: string; item: T }[] {
  return kept.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).slice(0, size);
}

function decodeToken(token: string): string | undefined {
  if (!token) return undefined;
  if (!/^[A-Za-z0-9_-]{1,2000}$/.test(token))
    throw fail('invalid_argument', 'page_token: expected the next_page_token of another page', {
      field: 'page_token',
    });
  return Buffer.from(token, 'base64url').toString();
}
