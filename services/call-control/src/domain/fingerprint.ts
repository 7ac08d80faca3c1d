import { createHash } from 'node:crypto';

/** Names a request by its content: the same JSON value gives the same text, whatever the order of its keys. */
export function fingerprint(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value, sorted)).digest('hex').slice(0, 32);
}

/** Names a command to a node: agents take letters and digits, where a key may be any text. */
export function commandId(tenantId: string, idempotencyKey: string, legUuid = ''): string {
  return fingerprint([tenantId, idempotencyKey, legUuid]);
}

function sorted(_: string, value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
