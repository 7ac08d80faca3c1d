import type { NodeCommand } from '@callmesh/proto/command';
import { fail } from '@callmesh/runtime';
import type { Leg } from '../leg.ts';
import * as check from './check.ts';

const SESSION_ID = /^[0-9a-f]{16}$/;
const TENANT_ID = /^[a-z0-9-]{1,63}$/;

/** What is known of the node when a command comes. */
export interface Known {
  /** The life FreeSWITCH is in; undefined before the first is known. */
  readonly epoch: string | undefined;
  leg(uuid: string): Leg | undefined;
  readonly now: number;
}

/** The command's own form: what every command must say. Errors: invalid_argument with the field. */
export function checkForm(command: NodeCommand): void {
  check.commandId(command.commandId, 'command_id');
  check.uuid(command.legUuid, 'leg_uuid');
  if (!TENANT_ID.test(command.tenantId)) throw wrong('tenant_id');
  if (!SESSION_ID.test(command.sessionId)) throw wrong('session_id');
  if (!command.expiresAt) throw wrong('expires_at');
}

/**
 * Whether a command may be carried out here and now; returns the leg, if it is one
 * on a leg. Errors: deadline, precondition_failed (another life), not_found,
 * tenant_forbidden, already_exists.
 */
export function admit(command: NodeCommand, known: Known): Leg | undefined {
  if (command.expiresAt!.getTime() <= known.now) throw fail('deadline', 'the command came too late');
  if (command.nodeEpoch !== known.epoch)
    throw fail('precondition_failed', 'the node is in another life', { field: 'node_epoch' });
  const leg = known.leg(command.legUuid);
  if (command.command?.$case === 'originate') {
    if (leg) throw fail('already_exists', 'there is a leg of this uuid', { field: 'leg_uuid' });
    return undefined;
  }
  const found = own(leg, command.tenantId, 'leg_uuid');
  if (found.sessionId !== command.sessionId)
    throw fail('not_found', 'the leg is of another session', { field: 'session_id' });
  admitOther(command, known);
  return found;
}

function admitOther({ command, tenantId, legUuid }: NodeCommand, known: Known): void {
  if (command?.$case !== 'bridge' && command?.$case !== 'supervise') return;
  const [uuid, field] =
    command.$case === 'bridge'
      ? [command.value.otherLegUuid, 'bridge.other_leg_uuid']
      : [command.value.supervisedLegUuid, 'supervise.supervised_leg_uuid'];
  if (check.uuid(uuid, field) === legUuid)
    throw fail('invalid_argument', `${field}: that is the leg itself`, { field });
  own(known.leg(uuid), tenantId, field);
}

function own(leg: Leg | undefined, tenantId: string, field: string): Leg {
  if (!leg || leg.hungUp) throw fail('not_found', 'no such leg on this node', { field });
  if (leg.tenantId !== tenantId) throw fail('tenant_forbidden', 'the leg is of another tenant', { field });
  return leg;
}

function wrong(field: string): Error {
  return fail('invalid_argument', `${field}: missing or not what was expected`, { field });
}
