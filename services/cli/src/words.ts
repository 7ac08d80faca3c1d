import type { NodeRole } from '@callmesh/proto/node';
import { FunctionMessage as Fn } from '@callmesh/proto/tenant';
import { fail, roleName } from '@callmesh/runtime';

/** "draining" of NODE_STATUS_DRAINING: enum values as people write them. */
export function word(value: string, prefix: string): string {
  return value.replace(`${prefix}_`, '').toLowerCase().replaceAll('_', '-');
}

/** FUNCTION_OUTBOUND_BOT of "outbound-bot". Errors: invalid_argument. */
export function functionOf(name: string): Fn {
  const value = `FUNCTION_${name.toUpperCase().replaceAll('-', '_')}`;
  const known = Object.values(Fn).filter(
    (each) => each !== 'FUNCTION_UNSPECIFIED' && each !== 'UNRECOGNIZED',
  );
  if (!(known as string[]).includes(value))
    throw fail(
      'invalid_argument',
      `function: expected one of ${known.map((each) => word(each, 'FUNCTION')).join(', ')}`,
    );
  return value as Fn;
}

/** A role's short name; "-" for none. */
export function roleWord(role: NodeRole): string {
  return role === 'NODE_ROLE_UNSPECIFIED' ? '-' : roleName(role);
}

/** "3m 12s" of a span in milliseconds. */
export function span(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  const parts = [
    [Math.floor(s / 86_400), 'd'],
    [Math.floor(s / 3_600) % 24, 'h'],
    [Math.floor(s / 60) % 60, 'm'],
    [s % 60, 's'],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  return (first < 0 ? parts.slice(3) : parts.slice(first, first + 2))
    .map(([n, unit]) => `${n}${unit}`)
    .join(' ');
}

/** How long ago; "-" when never. */
export function ago(at: Date | undefined, now = Date.now()): string {
  return at ? span(now - at.getTime()) : '-';
}

/** How many rows are wanted. Errors: invalid_argument. */
export function limitOf(text: string): number {
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1)
    throw fail('invalid_argument', '--limit: expected a whole number above 0');
  return limit;
}
