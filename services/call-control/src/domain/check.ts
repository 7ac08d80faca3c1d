import type { LegRef } from '@callmesh/proto/control';
import { fail } from '@callmesh/runtime';

const SLUG = /^[a-z0-9-]{1,63}$/;
const SESSION_ID = /^[0-9a-f]{16}$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const KEY = /^[!-~]{1,128}$/;

function refuse(field: string, expected: string): never {
  throw fail('invalid_argument', `${field}: expected ${expected}`, { field });
}

export function checkTenant(field: string, value: string): string {
  return SLUG.test(value) ? value : refuse(field, '1-63 of a-z, 0-9 and "-"');
}

export function checkSessionId(field: string, value: string): string {
  return SESSION_ID.test(value) ? value : refuse(field, '16 lower-case hex digits');
}

export function checkLegUuid(field: string, value: string): string {
  return UUID.test(value) ? value : refuse(field, 'a channel UUID in lower case');
}

export function checkKey(value: string): string {
  return KEY.test(value)
    ? value
    : refuse('idempotency_key', '1-128 printable ASCII characters without blanks');
}

/** A whole reference; with `session`, one that may leave its leg open. Errors: invalid_argument naming the field. */
export function checkLeg(leg: LegRef | undefined, may: 'leg' | 'session' = 'leg'): LegRef {
  if (!leg) refuse('leg', 'a leg');
  checkTenant('leg.tenant_id', leg.tenantId);
  checkSessionId('leg.session_id', leg.sessionId);
  if (may === 'leg' || leg.legUuid !== '') checkLegUuid('leg.leg_uuid', leg.legUuid);
  return leg;
}

/** A message a command cannot do without. */
export function present<T>(field: string, value: T | undefined): T {
  return value ?? refuse(field, 'a value');
}

/** Seconds a party may ring. */
export function checkRing(field: string, seconds: number): number {
  return seconds <= 300 ? seconds || 30 : refuse(field, '1-300 seconds, or 0 for 30');
}
