import { NodeRole } from '@callmesh/proto/node';
import { fail } from './errors.ts';

/** Roles as they stand in etcd keys, NATS subjects and config files. */
const NAMES = {
  router: NodeRole.NODE_ROLE_ROUTER,
  media: NodeRole.NODE_ROLE_MEDIA,
  tandem: NodeRole.NODE_ROLE_TANDEM,
  'kama-wss': NodeRole.NODE_ROLE_KAMA_WSS,
  'kama-pstn': NodeRole.NODE_ROLE_KAMA_PSTN,
} as const;

export type RoleName = keyof typeof NAMES;
export const roleNames = Object.keys(NAMES) as [RoleName, ...RoleName[]];

/** "media" of NODE_ROLE_MEDIA. Errors: invalid_argument for a role that is none. */
export function roleName(role: NodeRole): RoleName {
  const found = roleNames.find((name) => NAMES[name] === role);
  if (!found)
    throw fail('invalid_argument', `role: expected one of ${roleNames.join(', ')}`, { field: 'role' });
  return found;
}

/** NODE_ROLE_MEDIA of "media". Errors: invalid_argument. */
export function roleOf(name: string): NodeRole {
  if (!Object.hasOwn(NAMES, name))
    throw fail('invalid_argument', `role: expected one of ${roleNames.join(', ')}`, { field: 'role' });
  return NAMES[name as RoleName];
}
