import { mapped } from '@callmesh/runtime/sql';
import { type Kysely, sql } from 'kysely';
import { type Leg, legKey, type Move, merge, moved, sessionKey } from '../../domain/cdr/leg.ts';
import type { Refusal } from '../../domain/cdr/refusal.ts';
import { type Session, sessionOf } from '../../domain/cdr/session.ts';
import { addRows, putRows, read } from './rows.ts';
import { named, type Tables } from './tables.ts';

/** Name of the lock by which writers of all replicas take turns. */
const TURN = 0x63_64_72;

/** What a batch changed. */
export interface Recorded {
  readonly legs: number;
  readonly sessions: number;
}

/**
 * Writes what is told of legs, and makes the sessions' records anew from all their
 * legs, in one transaction: the same rows come of the same events, however they are
 * grouped, ordered and repeated. Writers take turns, so that none makes a session
 * of the legs that it sees while another adds one.
 */
export class Recorder {
  readonly #db: Kysely<Tables>;

  constructor(db: Kysely<Tables>) {
    this.#db = named(db);
  }

  /** `moves` are legs that went on in another life: what was told of them before is told of the same leg. */
  record(tellings: readonly Leg[], moves: readonly Move[] = []): Promise<Recorded> {
    const told = mergedByKey(tellings);
    return mapped(() =>
      this.#db.transaction().execute(async (tx) => {
        await sql`select pg_advisory_xact_lock(${TURN})`.execute(tx);
        const recorded = await write(tx, told);
        const followed = await follow(tx, moves);
        return { legs: recorded.legs + followed, sessions: recorded.sessions };
      }),
    );
  }

  /** Keeps refusals, each once; how many were new. */
  recordRefusals(refusals: readonly Refusal[]): Promise<number> {
    return mapped(() => addRows(this.#db, 'refusal', refusals));
  }
}

/** Each leg once, as all that is told of it. */
function mergedByKey(tellings: readonly Leg[]): Leg[] {
  const told = new Map<string, Leg>();
  for (const leg of tellings) {
    const before = told.get(legKey(leg));
    told.set(legKey(leg), before ? merge(before, leg) : leg);
  }
  return [...told.values()];
}

async function write(tx: Kysely<Tables>, told: readonly Leg[]): Promise<Recorded> {
  const known = new Map((await knownLegs(tx, told)).map((leg) => [legKey(leg), leg]));
  const changes = told.flatMap((leg) => {
    const before = known.get(legKey(leg));
    const after = before ? merge(before, leg) : leg;
    return after === before ? [] : [{ before, after }];
  });
  await putRows(
    tx,
    'leg',
    ['nodeEpoch', 'legUuid'],
    changes.map(({ after }) => after),
  );
  const touched = changes
    .flatMap(({ before, after }) => (before ? [before, after] : [after]))
    .filter(sessionKey);
  const sessions = await makeSessions(tx, touched);
  return { legs: changes.length, sessions };
}

/** Gives legs the life they went on in; how many had another. */
async function follow(tx: Kysely<Tables>, moves: readonly Move[]): Promise<number> {
  const lives = new Map(moves.map(({ legUuid, nodeEpoch }) => [legUuid, nodeEpoch]));
  if (lives.size === 0) return 0;
  const found = await tx
    .selectFrom('leg')
    .selectAll()
    .where('legUuid', 'in', [...lives.keys()])
    .execute();
  const left = found.map(read).filter(({ legUuid, nodeEpoch }) => nodeEpoch !== lives.get(legUuid));
  for (const { nodeEpoch, legUuid } of left)
    await tx.deleteFrom('leg').where('nodeEpoch', '=', nodeEpoch).where('legUuid', '=', legUuid).execute();
  // None of its legs may have ended in truth: its record is made when one has.
  for (const { tenantId, sessionId } of left)
    await tx
      .deleteFrom('session')
      .where('tenantId', '=', tenantId)
      .where('sessionId', '=', sessionId)
      .execute();
  await write(tx, mergedByKey(left.map((leg) => moved(leg, lives.get(leg.legUuid)!))));
  return left.length;
}

async function knownLegs(tx: Kysely<Tables>, legs: readonly Leg[]): Promise<Leg[]> {
  const epochs = legs.map(({ nodeEpoch }) => nodeEpoch);
  const uuids = legs.map(({ legUuid }) => legUuid);
  const rows = await tx
    .selectFrom('leg')
    .selectAll()
    .where(
      sql<boolean>`(node_epoch, leg_uuid) in (select * from unnest(${epochs}::text[], ${uuids}::text[]))`,
    )
    .execute();
  return rows.map(read);
}

/** Makes the sessions of these legs anew; how many there are. */
async function makeSessions(tx: Kysely<Tables>, touched: readonly Leg[]): Promise<number> {
  if (touched.length === 0) return 0;
  const keys = new Set(touched.map(sessionKey));
  const ids = [...new Set(touched.map(({ sessionId }) => sessionId))];
  const legs = await tx
    .selectFrom('leg')
    .selectAll()
    // Most sessions that are touched have only begun: there is nothing to be made of them yet.
    .where(
      sql<boolean>`session_id <> '' and session_id in (
        select session_id from leg
        where session_id <> '' and session_id = any(${ids}::text[]) and ended_at is not null)`,
    )
    .execute();
  const made = new Map<string, Session>();
  for (const [key, list] of Map.groupBy(legs.map(read), sessionKey)) {
    const session = keys.has(key) && sessionOf(list);
    if (session) made.set(key, session);
  }
  await putRows(tx, 'session', ['tenantId', 'sessionId'], [...made.values()]);
  await removeSessions(
    tx,
    touched.filter((leg) => leg.endedAt && !made.has(sessionKey(leg))),
  );
  return made.size;
}

/** A leg that turned out to be of another session may have been the only one of the first. */
async function removeSessions(tx: Kysely<Tables>, left: readonly Leg[]): Promise<void> {
  for (const { tenantId, sessionId } of left)
    await tx
      .deleteFrom('session')
      .where('tenantId', '=', tenantId)
      .where('sessionId', '=', sessionId)
      .execute();
}
