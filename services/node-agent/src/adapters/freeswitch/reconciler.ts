import type { Fields } from '../../domain/fields.ts';
import type { LegEvent, LegTable } from '../../domain/leg-table.ts';
import { differences, listedChannels } from '../../domain/reconcile.ts';
import type { EslConnection } from '../esl/connection.ts';
import { EslEvent } from '../esl/event.ts';

/** Deadlines, milliseconds. The list is read from FreeSWITCH's database, which may be busy. */
const LIST_MS = 10_000;
const ONE_MS = 5_000;
/** Questions under way at once. */
const WINDOW = 16;
/** An event that tells of a leg's end may still be on its way, milliseconds. */
const GRACE_MS = 500;
const WORD = /^\S{1,128}$/;

/** What a reconciliation found, with what showed it. */
export type Found = (events: readonly LegEvent[], fields: Fields) => void;

/**
 * Brings the leg table in line with FreeSWITCH, after a connection was made and
 * from time to time. Neither side's list is believed alone: each leg they
 * disagree on is asked about, in the background, because an api call holds up
 * all events.
 */
export async function reconcile(connection: EslConnection, legs: LegTable, found: Found): Promise<number> {
  const askedAt = Date.now();
  const list = await connection.bgapi('show channels as json', LIST_MS);
  const { unknown, vanished } = differences(legs, listedChannels(list.body), askedAt);
  const { adopted, missing } = await adopt(connection, legs, unknown, found);
  return adopted + (await bury(connection, legs, [...vanished, ...missing], found));
}

/** Legs no event told of, or not all: created, or changed, before we listened. */
async function adopt(
  connection: EslConnection,
  legs: LegTable,
  uuids: readonly string[],
  found: Found,
): Promise<{ adopted: number; missing: string[] }> {
  const dumps = await inWindows(
    uuids.filter((uuid) => WORD.test(uuid)),
    async (uuid) => {
      const dump = await connection.bgapi(`uuid_dump ${uuid} json`, ONE_MS).catch(() => undefined);
      return { uuid, fields: dump && EslEvent.fromJson(dump.body) };
    },
  );
  // Callers before callees: a leg the node called belongs to the session of the one it was called for.
  const known = dumps.flatMap(({ fields }) => (fields ? [fields] : []));
  known.sort((a, b) => Number(isOutbound(a)) - Number(isOutbound(b)));
  let adopted = 0;
  for (const fields of known) {
    const events = legs.add(fields, Date.now());
    found(events, fields);
    adopted += events.length > 0 ? 1 : 0;
  }
  // Listed still, and gone already: the list lags behind.
  const missing = dumps.filter(({ uuid, fields }) => !fields && legs.get(uuid)).map(({ uuid }) => uuid);
  return { adopted, missing };
}

/** Legs that ended while nobody listened. */
async function bury(
  connection: EslConnection,
  legs: LegTable,
  uuids: readonly string[],
  found: Found,
): Promise<number> {
  const answers = await inWindows(uuids, async (uuid) => {
    const answer = await connection.bgapi(`uuid_exists ${uuid}`, ONE_MS);
    return answer.body.trim() === 'false' ? { uuid, answer } : undefined;
  });
  const gone = answers.filter((answer) => answer !== undefined);
  if (gone.length === 0) return 0;
  await new Promise((resolve) => setTimeout(resolve, GRACE_MS));
  let buried = 0;
  for (const { uuid, answer } of gone) {
    if (!legs.get(uuid)) continue;
    found(legs.remove(uuid, Date.now()), answer);
    buried += 1;
  }
  return buried;
}

async function inWindows<A, B>(items: readonly A[], work: (item: A) => Promise<B>): Promise<B[]> {
  const results: B[] = [];
  for (let at = 0; at < items.length; at += WINDOW) {
    results.push(...(await Promise.all(items.slice(at, at + WINDOW).map(work))));
  }
  return results;
}

function isOutbound(fields: Fields): boolean {
  return fields.get('Call-Direction') === 'outbound';
}
