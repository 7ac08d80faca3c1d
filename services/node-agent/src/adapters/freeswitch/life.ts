import { fail } from '@callmesh/runtime';
import type { Fields } from '../../domain/fields.ts';
import type { Life } from '../../domain/identity.ts';
import type { EslConnection } from '../esl/connection.ts';

const UUID = /^[0-9a-f-]{36}$/i;

/** Who FreeSWITCH is in this life. Errors: unavailable when it does not say. */
export async function askLife(connection: EslConnection): Promise<Life> {
  const epoch = await connection.api('global_getvar core_uuid');
  if (!UUID.test(epoch)) throw fail('unavailable', `Core-UUID is not to be had: ${epoch.slice(0, 60)}`);
  const version = await connection.api('version short');
  const limit = /(\d+)\s*$/.exec(await connection.api('fsctl max_sessions'))?.[1];
  return { epoch, version, maxSessions: Number(limit ?? 0) };
}

/** What is told of a leg that an orderly shutdown ended; no event of FreeSWITCH lends it a number. */
export function shutdownFields(sequence: number): Fields {
  return {
    name: 'SHUTDOWN',
    get: (name) => (name === 'Hangup-Cause' ? 'SYSTEM_SHUTDOWN' : undefined),
    variable: () => undefined,
    number: (name) => (name === 'Event-Sequence' ? sequence : undefined),
  };
}
