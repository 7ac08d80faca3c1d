import { z } from 'zod';
import type { Nats } from '../nats.ts';
import { token } from './json.ts';

/** callmesh.tenant.<id>.changed, core NATS: a hint; the registry's Watch is the durable way. */
const SUBJECT = 'callmesh.tenant';

const TenantChanged = z.object({
  /** The tenant; "*" for platform resources. */
  tenant_id: z.string(),
  /** Registry revision the change made. */
  revision: z.number(),
});
export type TenantChanged = z.infer<typeof TenantChanged>;

export function publishTenantChanged(nats: Nats, change: TenantChanged): boolean {
  return nats.publish(`${SUBJECT}.${token(change.tenant_id)}.changed`, JSON.stringify(change));
}

export function subscribeTenantChanged(
  nats: Nats,
  handler: (change: TenantChanged) => void,
): { close(): void } {
  return nats.subscribe(`${SUBJECT}.*.changed`, (message) => handler(TenantChanged.parse(message.json())));
}
