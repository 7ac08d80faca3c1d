import { type SuperviseCommand, SuperviseMode } from '@callmesh/proto/command';
import { fail } from '@callmesh/runtime';
import type { App } from './escape.ts';

/** By whom the supervisor is heard: the supervised leg, and whom that is connected to. */
const HEARD: Readonly<Partial<Record<SuperviseMode, { readonly near: boolean; readonly far: boolean }>>> = {
  [SuperviseMode.SUPERVISE_MODE_LISTEN]: { near: false, far: false },
  [SuperviseMode.SUPERVISE_MODE_WHISPER]: { near: true, far: false },
  [SuperviseMode.SUPERVISE_MODE_BARGE]: { near: true, far: true },
};

/** Takes part in another leg's call; ends with that leg. */
export function supervise({ supervisedLegUuid, mode }: SuperviseCommand): App[] {
  const heard = HEARD[mode];
  if (!heard) throw fail('invalid_argument', 'supervise.mode: expected one', { field: 'supervise.mode' });
  const set = (name: string, value: boolean) => ({ name: 'set', arg: `eavesdrop_${name}=${value}` });
  return [
    { name: 'answer' },
    // A key must not change what the supervisor may do.
    set('enable_dtmf', false),
    set('whisper_bleg', heard.near),
    set('whisper_aleg', heard.far),
    { name: 'eavesdrop', arg: supervisedLegUuid },
  ];
}
