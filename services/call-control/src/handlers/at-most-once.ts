import { type CallmeshError, type ErrorCode, toCallmeshError } from '@callmesh/runtime';
import type { CommandLog } from '../adapters/command-log.ts';
import { checkKey } from '../domain/check.ts';
import { fingerprint } from '../domain/fingerprint.ts';
import { type CommandRecord, type Outcome, replay } from '../domain/record.ts';

/** Of these, nothing was done: the key may be used again. */
const NOTHING_DONE: readonly ErrorCode[] = [
  ...(['unavailable', 'deadline', 'cancelled', 'no_node', 'limit_calls', 'limit_cps'] as const),
];
/** Of this, nobody knows: the record stays without outcome. */
const UNKNOWN: ErrorCode = 'outcome_unknown';

/** Where keys are kept. */
export type KeyLog = Pick<CommandLog, 'take' | 'finish' | 'giveBack'>;

/** What a key is kept for. */
export interface Keyed {
  readonly tenantId: string;
  readonly idempotencyKey: string;
  /** What is asked for: two kinds of command may have requests that look the same. */
  readonly rpc: string;
  /** The request as a whole: another one under the same key is refused. */
  readonly request: unknown;
  /** Until when it may be under way, milliseconds since 1970. */
  readonly end: number;
}

/**
 * Does something once per key, whichever replica is asked how often; who asks again
 * gets what came of it, with `repeated`.
 */
export async function atMostOnce<T extends object>(
  log: KeyLog,
  { tenantId, idempotencyKey, rpc, request, end }: Keyed,
  act: () => Promise<T>,
): Promise<T & { repeated: boolean }> {
  const key = checkKey(idempotencyKey);
  const record: CommandRecord = { content: fingerprint({ rpc, request }), until: end };
  const taken = await log.take(tenantId, key, record);
  if ('record' in taken) {
    const result = replay(taken.record, record.content, Date.now()) as T;
    return { ...result, repeated: true };
  }
  const finish = (outcome: Outcome) => log.finish(tenantId, key, { ...record, outcome }, taken.revision);
  try {
    const result = await act();
    // The caller is told in any case; a repetition only learns that nobody knows.
    await finish({ result: { ...(result as object) } }).catch(() => {});
    return { ...result, repeated: false };
  } catch (thrown) {
    const error = toCallmeshError(thrown);
    if (NOTHING_DONE.includes(error.code)) await log.giveBack(tenantId, key, taken.revision).catch(() => {});
    else if (error.code !== UNKNOWN) await finish({ error: described(error) }).catch(() => {});
    throw thrown;
  }
}

function described({ code, message, field }: CallmeshError) {
  return { code, message, ...(field !== undefined && { field }) };
}
