import { fail } from '@callmesh/runtime';
import type { z } from 'zod';
import type { KindSpec, Row } from './kind.ts';

/** One thing that is wrong with a value. */
export interface Problem {
  /** Where, from the value's root. */
  readonly path: readonly (string | number)[];
  /** What was expected. */
  readonly message: string;
  /** True when the path's last step is a key that should not be there. */
  readonly unknownKey?: boolean;
}

export type Checked = { readonly row: Row } | { readonly problems: readonly Problem[] };

/** Checks a row against its kind's schema; what passes has every field, in its canonical form. */
export function checkRow(spec: KindSpec, value: unknown): Checked {
  const result = spec.schema.safeParse(value);
  if (result.success) return { row: result.data as Row };
  return { problems: result.error.issues.flatMap((issue) => problemsOf(issue, value)) };
}

function problemsOf(issue: z.core.$ZodIssue, root: unknown): Problem[] {
  const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({ path: [...path, key], message: unknownKey(key), unknownKey: true }));
  return [{ path, message: explain(issue, valueAt(root, path)) }];
}

function unknownKey(key: string): string {
  return /^(password|passwd|secret)$/i.test(key)
    ? 'passwords are not kept; expected ha1_md5, the MD5 of "username:realm:password"'
    : 'unknown key';
}

function valueAt(root: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (value, step) => (value as Record<string | number, unknown> | undefined)?.[step],
    root,
  );
}

/** YAML reads +4930123 as a number and 0123 loses its zero: say what to do about it. */
function explain(issue: z.core.$ZodIssue, value: unknown): string {
  const wantsText = issue.code === 'invalid_type' && issue.expected === 'string';
  if (value === undefined) return `is missing; ${issue.message}`;
  return wantsText && typeof value === 'number' ? `${issue.message}, in quotes` : issue.message;
}

/** A path as people read it: `trunks[0].source_addresses[1]`. */
export function pathText(path: readonly (string | number)[]): string {
  return path.reduce<string>(
    (text, step) => (typeof step === 'number' ? `${text}[${step}]` : text ? `${text}.${step}` : step),
    '',
  );
}

/** As checkRow, for one resource by itself. Errors: invalid_argument naming the first wrong field. */
export function requireRow(spec: KindSpec, value: unknown): Row {
  const checked = checkRow(spec, value);
  if ('row' in checked) return checked.row;
  const { path, message } = checked.problems[0]!;
  const field = pathText([spec.name, ...path]);
  throw fail('invalid_argument', `${field}: ${message}`, { field });
}
