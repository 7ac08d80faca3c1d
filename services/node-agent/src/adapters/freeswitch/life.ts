import { fail } from '@callmesh/runtime';
import type { Speech } from '../../domain/commands/sound.ts';
import type { Fields } from '../../domain/fields.ts';
import type { Life } from '../../domain/identity.ts';
import type { EslConnection } from '../esl/connection.ts';

const UUID = /^[0-9a-f-]{36}$/i;
/** What a held far end hears where the node has no `hold_music`: a soft tone now and then. */
const HOLD_TONE = 'tone_stream://v=-13;%(1000,3000,440,550);loops=-1';

/** Who FreeSWITCH is in this life. Errors: unavailable when it does not say. */
export async function askLife(connection: EslConnection): Promise<Life> {
  const epoch = await connection.api('global_getvar core_uuid');
  if (!UUID.test(epoch)) throw fail('unavailable', `Core-UUID is not to be had: ${epoch.slice(0, 60)}`);
  const version = await connection.api('version short');
  const limit = /(\d+)\s*$/.exec(await connection.api('fsctl max_sessions'))?.[1];
  return { epoch, version, maxSessions: Number(limit ?? 0) };
}

/** How the node is set up, as far as commands depend on it. */
export interface Place {
  /** FreeSWITCH's recordings folder, absolute. */
  readonly recordings: string;
  readonly holdMusic: string;
  /** Where it takes and sends media. */
  readonly mediaAddress: string;
  readonly speech: Speech;
}

/** Before the node was asked. */
export const NOWHERE: Place = {
  recordings: '',
  holdMusic: '',
  mediaAddress: '',
  speech: { engine: '', voice: '' },
};

export async function askPlace(connection: EslConnection): Promise<Place> {
  const ask = (name: string) => variable(connection, name);
  return {
    recordings: await ask('recordings_dir'),
    holdMusic: (await ask('hold_music')) || HOLD_TONE,
    mediaAddress: await ask('rtp_address'),
    speech: { engine: (await ask('tts_engine')) || 'flite', voice: (await ask('tts_voice')) || 'kal' },
  };
}

/** Nothing at all is answered with an error. */
async function variable(connection: EslConnection, name: string): Promise<string> {
  try {
    return await connection.api(`global_getvar ${name}`);
  } catch (error) {
    if (connection.closed) throw error;
    return '';
  }
}

/** What is told of a leg of which no event says that it ended; it lends itself a number later than all of FreeSWITCH's. */
export function endFields(cause: string | undefined, sequence: number): Fields {
  return {
    name: 'END',
    get: (name) => (name === 'Hangup-Cause' ? cause : undefined),
    variable: () => undefined,
    number: (name) => (name === 'Event-Sequence' ? sequence : undefined),
  };
}
