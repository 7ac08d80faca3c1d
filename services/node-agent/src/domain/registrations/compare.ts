import { type Device, keyOf } from './device.ts';

/** FreeSWITCH counts in seconds, and the list takes its time, milliseconds. */
const ALIKE_MS = 3_000;

export interface Comparison {
  /** What FreeSWITCH has. */
  readonly listed: readonly Device[];
  /** What session-cache has of this router. */
  readonly known: readonly Device[];
  /** When this life of FreeSWITCH began, milliseconds. */
  readonly began: number;
  /** What FreeSWITCH had kept from an earlier life when this one began: session-cache heard of it then, and of its end. */
  readonly inherited: ReadonlyMap<string, Device>;
  /** True for what was heard of while the two lists were fetched: it is newer than both. */
  readonly isNewer: (device: Device) => boolean;
  /** True where no call can arrive any more, whatever FreeSWITCH has. */
  readonly isGone: (device: Device) => boolean;
}

/**
 * What session-cache has to be told so that nothing is missing and nothing is stale.
 * What FreeSWITCH lost when it began anew stays: the agent is behind its door as before,
 * and every router reaches it by the path.
 */
export function differences({ listed, known, began, inherited, isNewer, isGone }: Comparison): Device[] {
  const there = new Map(known.map((device) => [keyOf(device), device]));
  const reached = listed.filter((device) => !isGone(device));
  const here = new Set(reached.map(keyOf));
  const missing = reached.flatMap((device) => {
    const before = there.get(keyOf(device));
    const heard = before ?? inherited.get(keyOf(device));
    if (heard && heard.expiresAt >= device.expiresAt - ALIKE_MS) return [];
    // A longer life of what is known does not outdate what another router has heard since.
    return [{ ...device, at: before?.at ?? device.at }];
  });
  const stale = known
    .filter((device) => !here.has(keyOf(device)) && (device.at >= began || isGone(device)))
    .map((device) => ({ ...device, expiresAt: 0 }));
  return [...missing, ...stale].filter((device) => !isNewer(device));
}
