import { NodeRole } from '@callmesh/proto/node';
import type { MoveRequest, NodeLife } from '@callmesh/proto/session';
import { NodeStatus } from '@callmesh/proto/state';
import { RecoverRequest, RecoverResponse, RecoverySnapshot } from '@callmesh/proto/takeover';
import {
  type App,
  type Component,
  type Kept,
  type RecoveryStore,
  roleName,
  toCallmeshError,
} from '@callmesh/runtime';
import type { Leader } from '../adapters/leader.ts';
import { TakeoverMetrics } from '../adapters/takeover-metrics.ts';
import type { NodeTable, Row } from '../domain/table.ts';
import { type Call, callsOf } from '../domain/takeover/calls.ts';
import { Heirs, isOver } from '../domain/takeover/heirs.ts';
import type { Watchers } from './watchers.ts';

/** How often what is not done yet is tried again, milliseconds. */
const AGAIN_MS = 1_000;
/** Longest an heir works on one request, milliseconds; it answers for each leg within a few seconds. */
const HEIR_MS = 12_000;
/** Calls of one request: an heir recovers them together. */
const CALLS = 10;
/** Claims and moves at once. */
const LANES = 16;
/** A carrier knows a tandem by its address: nobody can go on with its calls. */
const ROLES: readonly NodeRole[] = [NodeRole.NODE_ROLE_MEDIA, NodeRole.NODE_ROLE_ROUTER];
/** Somebody else moved it, or nobody bound it: neither keeps the legs from going on. */
const MOVED = ['conflict', 'not_found', 'session_gone'];

interface Parts {
  readonly table: Pick<NodeTable, 'rows'>;
  readonly watchers: Pick<Watchers, 'listen'>;
  readonly leader: Pick<Leader, 'leads' | 'onLead'>;
  readonly store: Pick<RecoveryStore, 'list' | 'get' | 'put' | 'replace'>;
  /** Has an heir go on with legs. */
  readonly ask: (request: RecoverRequest) => Promise<RecoverResponse>;
  /** Says in session-cache where a session lives. */
  readonly move: (request: MoveRequest) => Promise<unknown>;
}

interface Claimed extends Call {
  readonly heir: NodeLife;
}

/**
 * Gives the calls of dead nodes to others of their group. Each step may be done twice, by two replicas, or after one
 * stopped half-way: who claims a call, where its session lives and what came of a leg are compare-and-sets, and an heir
 * leaves alone what it has.
 */
export class Takeovers implements Component {
  readonly name = 'takeovers';
  readonly #app: App;
  readonly #parts: Parts;
  readonly #metrics: TakeoverMetrics;
  /** Nodes a takeover is under way of. */
  readonly #busy = new Set<string>();
  /** Nodes by the life and status in which nothing was left to be done. */
  readonly #done = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;
  #listener: { close(): void } | undefined;

  constructor(app: App, parts: Parts) {
    this.#app = app;
    this.#parts = parts;
    this.#metrics = new TakeoverMetrics(app);
  }

  async start(): Promise<void> {
    const { leader, watchers } = this.#parts;
    leader.onLead = () => this.#done.clear();
    this.#listener = watchers.listen(({ event }) => {
      if (event?.$case === 'put') this.#consider(event.value.node?.id ?? '');
    });
    this.#timer = setInterval(() => this.#all(), AGAIN_MS);
  }

  async drain(): Promise<void> {
    clearInterval(this.#timer);
    this.#listener?.close();
  }

  #all(): void {
    for (const id of this.#parts.table.rows.keys()) this.#consider(id);
  }

  #consider(nodeId: string): void {
    const row = this.#parts.table.rows.get(nodeId);
    if (!row || this.#busy.has(nodeId) || !this.#parts.leader.leads) return;
    const state = `${row.facts.node.epoch} ${row.status === NodeStatus.NODE_STATUS_DOWN}`;
    if (!ROLES.includes(row.facts.node.role) || this.#done.get(nodeId) === state) return;
    this.#busy.add(nodeId);
    void this.#takeOver(nodeId, row)
      .then((left) => {
        if (left === 0) this.#done.set(nodeId, state);
        this.#app.degraded('takeover', left === 0 ? null : `${left} calls of ${nodeId} wait for an heir`);
      })
      .catch((error) => this.#app.degraded('takeover', (error as Error).message))
      .finally(() => this.#busy.delete(nodeId));
  }

  /** Returns how many calls are not settled yet. */
  async #takeOver(nodeId: string, { facts }: Row): Promise<number> {
    const beganAt = Date.now();
    const kept = await this.#parts.store.list(nodeId);
    const { rows } = this.#parts.table;
    const over = kept.filter(({ snapshot }) => isOver(snapshot.life!, rows)).map(({ snapshot }) => snapshot);
    const calls = callsOf(over).filter(({ legs }) => legs.some(({ outcome }) => outcome === ''));
    if (calls.length === 0) return 0;
    this.#app.log.warn({ node: nodeId, calls: calls.length }, 'taking over');
    this.#metrics.began();
    const role = roleName(facts.node.role);
    let settled = 0;
    try {
      const claimed = await this.#claim(calls);
      const groups = Map.groupBy(claimed, ({ heir }) => heir.nodeId);
      const told = await Promise.all([...groups.values()].map((of) => this.#recover(of, role)));
      settled = told.reduce((sum, one) => sum + one, 0);
    } finally {
      this.#metrics.ended(role, beganAt, calls.length - settled);
    }
    this.#app.log.warn(
      { node: nodeId, calls: calls.length, settled, ms: Date.now() - beganAt },
      'taken over',
    );
    return calls.length - settled;
  }

  /** Says who goes on with each call, unless somebody living was said already; and moves the sessions there. */
  async #claim(calls: readonly Call[]): Promise<Claimed[]> {
    const heirs = new Heirs(this.#parts.table.rows);
    const claimed: Claimed[] = [];
    await inLanes(calls, async (one) => {
      const heir = await this.#claimOne(one, heirs);
      if (!heir) return;
      await this.#move(one, heir);
      claimed.push({ ...one, heir });
    });
    return claimed;
  }

  async #claimOne({ anchor, legs }: Call, heirs: Heirs): Promise<NodeLife | undefined> {
    const { store, table } = this.#parts;
    for (;;) {
      const kept: Kept | undefined = await store.get(anchor.life!.nodeId, anchor.legUuid);
      if (!kept || kept.snapshot.outcome === 'no_heir') return undefined;
      const { heir } = kept.snapshot;
      if (heir && !isOver(heir, table.rows)) return heir;
      const next = heirs.next(anchor.life!.nodeId, legs.length);
      if (!next) return undefined;
      if (await store.replace({ ...kept.snapshot, heir: next }, kept.revision)) return next;
    }
  }

  async #move({ legs }: Call, to: NodeLife): Promise<void> {
    for (const [sessionId, { life }] of new Map(legs.map((leg) => [leg.sessionId, leg]))) {
      await this.#parts.move({ sessionId, from: life, to }).catch((error: unknown) => {
        const { code, message } = toCallmeshError(error);
        if (!MOVED.includes(code))
          this.#app.log.warn({ session: sessionId, code, message }, 'session not moved');
      });
    }
  }

  /** Has one heir go on with its calls; returns how many are settled. */
  async #recover(claimed: readonly Claimed[], role: string): Promise<number> {
    let settled = 0;
    for (let at = 0; at < claimed.length; at += CALLS) {
      const batch = claimed.slice(at, at + CALLS);
      const legs = batch.flatMap((one) => one.legs).filter(({ outcome }) => outcome === '');
      const outcomes = await this.#ask(batch[0]!, legs);
      await inLanes(legs, async (leg) => {
        const outcome = outcomes.get(leg.legUuid);
        if (outcome !== undefined) await this.#settle(leg, batch[0]!.heir, outcome, role);
      });
      settled += batch.filter(({ legs: of }) =>
        of.every((leg) => leg.outcome || outcomes.has(leg.legUuid)),
      ).length;
    }
    return settled;
  }

  async #ask({ heir, anchor }: Claimed, legs: readonly RecoverySnapshot[]): Promise<Map<string, string>> {
    const request = RecoverRequest.fromPartial({
      heir,
      dead: anchor.life,
      legUuids: legs.map(({ legUuid }) => legUuid),
      expiresAt: new Date(Date.now() + HEIR_MS),
    });
    const answer = await this.#parts.ask(request).catch((error: unknown) => {
      const { code, message } = toCallmeshError(error);
      return RecoverResponse.fromPartial({ errorCode: code, errorMessage: message });
    });
    if (answer.errorCode)
      this.#app.log.warn(
        { heir: heir.nodeId, code: answer.errorCode, reason: answer.errorMessage },
        'heir failed',
      );
    return new Map(answer.legs.map(({ legUuid, outcome }) => [legUuid, outcome]));
  }

  /**
   * What stays says that this leg is no more the dead node's to tell of, until the store forgets it. A node that goes on
   * with legs of its own last life has written there already.
   */
  async #settle(leg: RecoverySnapshot, heir: NodeLife, outcome: string, role: string): Promise<void> {
    this.#metrics.leg(heir.nodeId, role, outcome);
    this.#app.log.info({ leg: leg.legUuid, session: leg.sessionId, heir: heir.nodeId, outcome }, 'leg');
    if (heir.nodeId === leg.life?.nodeId && outcome === 'resumed') return;
    await this.#parts.store.put(
      RecoverySnapshot.fromPartial({ ...leg, heir, outcome, channel: Buffer.alloc(0), leg: '' }),
    );
  }
}

async function inLanes<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < items.length) await work(items[next++]!);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}
