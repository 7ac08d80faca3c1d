import type { Disposition } from '@callmesh/proto/cdr';
import { mapped } from '@callmesh/runtime/sql';
import { type Kysely, type SelectQueryBuilder, sql } from 'kysely';
import type { Leg } from '../../domain/cdr/leg.ts';
import type { Refusal } from '../../domain/cdr/refusal.ts';
import type { Session } from '../../domain/cdr/session.ts';
import type { Guard } from './guard.ts';
import { read } from './rows.ts';
import { named, type Tables } from './tables.ts';

/** A page of a list, newest first. */
export interface Page {
  /** Whose; "*": of all tenants. */
  readonly tenantId: string;
  /** At or after. */
  readonly from?: Date | undefined;
  /** Before. */
  readonly until?: Date | undefined;
  /** Behind this row: its time, then its other columns of the order. */
  readonly after?: readonly string[] | undefined;
  readonly limit: number;
}

export interface SessionFilter {
  /** Number or user on either side; empty: any. */
  readonly party: string;
  readonly disposition?: Disposition | undefined;
}

/** What a list is ordered by, and its pages continue from: together they name a row. */
export const ORDER = {
  session: ['startedAt', 'sessionId', 'tenantId'],
  leg: ['startedAt', 'legUuid', 'nodeEpoch'],
  refusal: ['at', 'id'],
} as const;

/** Reads records. All errors are CallmeshErrors, or faults. */
export class Reader {
  readonly #db: Kysely<Tables>;
  readonly #guard: Guard;

  constructor(db: Kysely<Tables>, guard: Guard) {
    this.#db = named(db);
    this.#guard = guard;
  }

  async sessions(page: Page, { party, disposition }: SessionFilter): Promise<Session[]> {
    const wanted = () => {
      const query = this.#page('session', page);
      return disposition === undefined ? query : query.where('disposition', '=', disposition);
    };
    if (party === '') return this.#rows(wanted());
    // One list for each side, each along its own index: a number is rare among all sessions.
    const side = (query: ReturnType<typeof wanted>) => this.#db.selectFrom(query.as('side')).selectAll();
    const called = wanted().where('callee', '=', party).where('caller', '<>', party);
    const either = side(wanted().where('caller', '=', party)).unionAll(side(called));
    const both = this.#db.selectFrom(either.as('either')).selectAll();
    return this.#rows(ordered(both, 'session').limit(page.limit));
  }

  legs(page: Page, { nodeId }: { readonly nodeId: string }): Promise<Leg[]> {
    const query = this.#page('leg', page).where('endedAt', 'is not', null);
    return this.#rows(nodeId === '' ? query : query.where('nodeId', '=', nodeId));
  }

  refusals(page: Page): Promise<Refusal[]> {
    return this.#rows(this.#page('refusal', page));
  }

  /** A session and its legs, oldest first; undefined when there is none. */
  async session(tenantId: string, sessionId: string): Promise<{ session: Session; legs: Leg[] } | undefined> {
    const [session] = await this.#rows(
      this.#db
        .selectFrom('session')
        .selectAll()
        .where('tenantId', '=', tenantId)
        .where('sessionId', '=', sessionId),
    );
    if (!session) return undefined;
    const legs = await this.#rows(
      this.#db
        .selectFrom('leg')
        .selectAll()
        .where(sql<boolean>`session_id <> '' and session_id = ${sessionId}`)
        .where('tenantId', '=', tenantId)
        .where('endedAt', 'is not', null)
        .orderBy('startedAt')
        .orderBy('legUuid'),
    );
    return { session, legs };
  }

  #page<T extends keyof Tables>(table: T, { tenantId, from, until, after, limit }: Page) {
    const at = sql.ref(ORDER[table][0]);
    const conditions = [
      ...(tenantId === '*' ? [] : [sql<boolean>`tenant_id = ${tenantId}`]),
      ...(from ? [sql<boolean>`${at} >= ${from}`] : []),
      ...(until ? [sql<boolean>`${at} < ${until}`] : []),
      ...(after ? [behind(table, after)] : []),
    ];
    const all = this.#db.selectFrom(table as 'leg').selectAll();
    const wanted = conditions.reduce((query, condition) => query.where(condition), all);
    return ordered(wanted, table).limit(limit) as unknown as SelectQueryBuilder<Tables, T, Tables[T]>;
  }

  #rows<T extends object>(query: { execute(): Promise<T[]> }): Promise<T[]> {
    return this.#guard(() => mapped(async () => (await query.execute()).map(read)));
  }
}

function ordered<DB, TB extends keyof DB, O>(
  query: SelectQueryBuilder<DB, TB, O>,
  table: keyof Tables,
): SelectQueryBuilder<DB, TB, O> {
  return ORDER[table].reduce((list, column) => list.orderBy(sql.ref(column), 'desc'), query);
}

function behind(table: keyof Tables, [at, ...rest]: readonly string[]) {
  const columns = ORDER[table].map((column) => sql.ref(column));
  return sql<boolean>`(${sql.join(columns)}) < (${sql.join([sql`${at}::timestamptz`, ...rest])})`;
}
