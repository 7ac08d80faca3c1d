import { afterToken, fail, pageSize, pageToken } from '@callmesh/runtime';
import { ORDER, type Page } from '../adapters/cdr/reader.ts';

interface PageRequest {
  readonly tenantId: string;
  readonly from: Date | undefined;
  readonly until: Date | undefined;
  readonly pageSize: number;
  readonly pageToken: string;
}

/** A page to be read: one row more than is shown tells whether another page follows. */
export interface AskedPage extends Page {
  /** Names the list: a token of one does not continue another. */
  readonly list: string;
}

/** The page a request asks for. Errors: invalid_argument naming the field. */
export function pageOf(
  table: keyof typeof ORDER,
  request: PageRequest,
  filters: Readonly<Record<string, string>> = {},
): AskedPage {
  const { tenantId, from, until } = request;
  checkTime('from', from);
  checkTime('until', until);
  for (const [field, value] of Object.entries(filters))
    if (value.includes('\0'))
      throw fail('invalid_argument', `${field}: expected text without NUL`, { field });
  const list = JSON.stringify([table, tenantId, ...Object.values(filters)]);
  const after = afterToken(list, request.pageToken);
  return {
    ...{ list, tenantId, from, until },
    after: after === undefined ? undefined : placeOf(after, ORDER[table].length),
    limit: pageSize(request.pageSize) + 1,
  };
}

/** The rows to show, and the token of the page behind them; empty on the last. */
export function nextToken<T extends object>(
  table: keyof typeof ORDER,
  { list, limit }: AskedPage,
  rows: readonly T[],
): [rows: readonly T[], token: string] {
  if (rows.length < limit) return [rows, ''];
  const shown = rows.slice(0, limit - 1);
  const last = shown.at(-1) as Record<string, unknown>;
  return [shown, pageToken(list, JSON.stringify(ORDER[table].map((column) => last[column])))];
}

function checkTime(field: string, time: Date | undefined): void {
  const year = time?.getUTCFullYear() ?? 1970;
  if (!(year >= 1 && year <= 9999))
    throw fail('invalid_argument', `${field}: expected a time of the years 1 to 9999`, { field });
}

/** Where a token points; tokens are the caller's to keep, hence also to spoil. */
function placeOf(after: string, columns: number): readonly string[] {
  const place: unknown = parse(after);
  const isPlace =
    Array.isArray(place) &&
    place.length === columns &&
    place.every((value) => typeof value === 'string' && !value.includes('\0')) &&
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(place[0]) &&
    !Number.isNaN(Date.parse(place[0]));
  if (isPlace) return place;
  throw fail('invalid_argument', 'page_token: expected next_page_token of the page before', {
    field: 'page_token',
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
