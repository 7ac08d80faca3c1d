import { hash } from 'node:crypto';
import type { NodeRole } from '@callmesh/proto/node';
import type { Affinity, Session } from './session.ts';

/**
 * Keys of the bucket: `c.<role>.<tenant>.<digest of Call-ID>` and
 * `a.<role>.<tenant>.<digest of affinity key>`. Call-IDs come from outside and
 * may hold any byte; 144 bits of SHA-256 are safe in a NATS subject and of one
 * length. The tenant stands in the key, so equal Call-IDs of two tenants never meet.
 */
export function callKey(tenantId: string, role: NodeRole, callId: string): string {
  return `c.${roleToken(role)}.${tenantId}.${digest(callId)}`;
}

export function affinityKey(tenantId: string, role: NodeRole, key: string): string {
  return `a.${roleToken(role)}.${tenantId}.${digest(key)}`;
}

/** Key of an address of record in the registrations bucket. */
export function aorKey(aor: string): string {
  return `r.${digest(aor)}`;
}

export function keyOfSession(session: Session): string {
  return callKey(session.tenantId, session.role, session.callId);
}

export function keyOfAffinity(of: Affinity | Session): string {
  return affinityKey(of.tenantId, of.role, of.affinityKey);
}

function roleToken(role: NodeRole): string {
  return role.slice('NODE_ROLE_'.length).toLowerCase();
}

function digest(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 24);
}
