import { mapped } from '@callmesh/runtime/sql';
import { type Kysely, type SelectQueryBuilder, sql } from 'kysely';
import type { Leg } from '../../domain/cdr/leg.ts';
import { lost } from '../../domain/cdr/lost.ts';
import { read } from './rows.ts';
import { named, type Tables } from './tables.ts';

/** Rows that are handled by one statement: what others write meanwhile waits for no more. */
const STEP = 500;

type Legs = SelectQueryBuilder<Tables, 'leg', Leg>;

/** Finds what time has made of records: those that are too old, and legs whose end nobody tells any more. */
export class Keeper {
  readonly #db: Kysely<Tables>;

  constructor(db: Kysely<Tables>) {
    this.#db = named(db);
  }

  /** Removes some of what began before; how much, 0 when nothing is left. */
  async trim(before: Date): Promise<number> {
    let removed = 0;
    for (const [table, time] of [
      ['session', 'started_at'],
      ['leg', 'started_at'],
      ['refusal', 'at'],
    ] as const) {
      const { numAffectedRows } = await mapped(() =>
        sql`
          delete from ${sql.table(table)} where ctid = any(array(
            select ctid from ${sql.table(table)} where ${sql.ref(time)} < ${before}
            order by ${sql.ref(time)} limit ${STEP}))
        `.execute(this.#db),
      );
      removed += Number(numAffectedRows ?? 0);
    }
    return removed;
  }

  /** Some of the legs of a life of a node that is over, as ended when that life was last heard of. */
  async ofLife(nodeId: string, nodeEpoch: string): Promise<Leg[]> {
    const legs = await this.#alive((query) =>
      query.where('nodeId', '=', nodeId).where('nodeEpoch', '=', nodeEpoch),
    );
    const lastSign = await this.#lastSign(nodeId, nodeEpoch);
    return legs.map((leg) => lost(leg, lastSign));
  }

  /** Lives with legs that nobody told the end of, while their node has begun another life. */
  async endedLives(): Promise<{ nodeId: string; nodeEpoch: string }[]> {
    const { rows } = await mapped(() =>
      sql<{ nodeId: string; nodeEpoch: string }>`
        with life as (select distinct node_id, node_epoch from leg where ended_at is null)
        select life.node_id, life.node_epoch from life cross join lateral (
          select node_epoch from leg where leg.node_id = life.node_id order by started_at desc limit 1
        ) as latest
        where latest.node_epoch <> life.node_epoch
      `.execute(this.#db),
    );
    return rows;
  }

  /** Some of the legs that began before and never ended, as ended. */
  async forgotten(before: Date): Promise<Leg[]> {
    const legs = await this.#alive((query) => query.where('startedAt', '<', before));
    return legs.map((leg) => lost(leg, leg.startedAt));
  }

  async #alive(narrow: (query: Legs) => Legs): Promise<Leg[]> {
    const all = this.#db.selectFrom('leg').selectAll().where('endedAt', 'is', null);
    return mapped(async () => (await narrow(all).limit(STEP).execute()).map(read));
  }

  /** The last that was heard of a life of a node. */
  async #lastSign(nodeId: string, nodeEpoch: string): Promise<Date> {
    const { at } = await mapped(() =>
      this.#db
        .selectFrom('leg')
        .select(sql<Date>`max(greatest(started_at, answered_at, ended_at))`.as('at'))
        .where('nodeId', '=', nodeId)
        .where('nodeEpoch', '=', nodeEpoch)
        .executeTakeFirstOrThrow(),
    );
    return at ?? new Date(0);
  }
}
