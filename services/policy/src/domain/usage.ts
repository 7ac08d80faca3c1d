import { type TrunkLeg, TrunkLegs } from './trunk-legs.ts';

/** Whose a live session is, for limits. */
export interface LiveSession {
  readonly tenantId: string;
  readonly trunkId: string;
}

interface Entry extends LiveSession {
  /** When an unconfirmed session is forgotten, Unix milliseconds; Infinity once session-cache lists it. */
  expires: number;
}

/** A session session-cache never lists is over after this, as an unconfirmed binding is there. */
const UNCONFIRMED_TTL_MS = 60_000;
/** After hearing of no ends for this long, counts of live calls only grow and prove nothing. */
const SILENCE_MS = 30_000;
/** Starts are counted in slots of this many milliseconds, over one second. */
const SLOT_MS = 50;
const SLOTS = 1000 / SLOT_MS;

/** Live sessions and new sessions in the last second, by tenant and by trunk, over all policy instances. */
export class Usage {
  readonly #sessions = new Map<string, Entry>();
  readonly #unconfirmed = new Set<string>();
  readonly #calls = new Map<string, number>();
  readonly #starts = new Map<string, StartRate>();
  /**
   * Unix milliseconds since when ends of sessions are no longer heard of (session-cache
   * away); undefined while they are.
   */
  silentSince: number | undefined;
  /** Legs out through trunks; a session is counted by the trunk it came by. */
  readonly legs = new TrunkLegs();

  /** True while counts of live calls prove something. */
  isCurrent(now: number): boolean {
    return this.silentSince === undefined || now - this.silentSince < SILENCE_MS;
  }

  /** A session this instance has just assigned. */
  start(sessionId: string, session: LiveSession, now: number): void {
    if (this.#sessions.has(sessionId)) return;
    this.#enter(sessionId, { ...session, expires: now + UNCONFIRMED_TTL_MS }, now);
    this.#unconfirmed.add(sessionId);
  }

  /** A session that session-cache lists; `createdAt` (Unix ms) tells whether it counts for the rate. */
  confirm(sessionId: string, session: LiveSession, createdAt: number): void {
    const known = this.#sessions.get(sessionId);
    this.#unconfirmed.delete(sessionId);
    if (known) known.expires = Number.POSITIVE_INFINITY;
    else this.#enter(sessionId, { ...session, expires: Number.POSITIVE_INFINITY }, createdAt);
  }

  end(sessionId: string): void {
    const session = this.#sessions.get(sessionId);
    if (!session) return;
    this.#sessions.delete(sessionId);
    this.#unconfirmed.delete(sessionId);
    for (const key of keysOf(session)) {
      const calls = (this.#calls.get(key) ?? 1) - 1;
      if (calls > 0) this.#calls.set(key, calls);
      else this.#calls.delete(key);
    }
  }

  /** Ends every confirmed session that is not in this list: what a new watch says is all there is. */
  retain(sessionIds: ReadonlySet<string>): void {
    for (const [id, { expires }] of this.#sessions) {
      if (expires === Number.POSITIVE_INFINITY && !sessionIds.has(id)) this.end(id);
    }
  }

  /** Forgets sessions nobody ever confirmed, and rates of those who stopped calling. */
  expire(now: number): void {
    for (const id of this.#unconfirmed) {
      if (this.#sessions.get(id)!.expires > now) break;
      this.end(id);
    }
    for (const [key, rate] of this.#starts) if (rate.count(now) === 0) this.#starts.delete(key);
  }

  /** A call this instance has just sent out through a trunk. */
  callOut(sessionId: string, trunkId: string, now: number): void {
    if (this.legs.assign(sessionId, trunkId, now)) this.#rate(trunkKey(trunkId)).add(now);
  }

  /** A leg out through a trunk, as its node told of it; `startedAt` is Unix milliseconds. */
  calledOut(uuid: string, leg: TrunkLeg, startedAt: number): void {
    if (this.legs.created(uuid, leg)) this.#rate(trunkKey(leg.trunkId)).add(startedAt);
  }

  /** A leg out through a trunk that goes on at another node: it is no new call. */
  movedOut(uuid: string, leg: TrunkLeg): void {
    this.legs.ended(uuid);
    this.legs.created(uuid, leg);
  }

  get size(): number {
    return this.#sessions.size;
  }

  callsOfTenant(tenantId: string): number {
    return this.#calls.get(tenantId) ?? 0;
  }

  /** Calls that came by a trunk and those that left by it. */
  callsOfTrunk(trunkId: string): number {
    return (this.#calls.get(trunkKey(trunkId)) ?? 0) + this.legs.count(trunkId);
  }

  startsOfTenant(tenantId: string, now: number): number {
    return this.#starts.get(tenantId)?.count(now) ?? 0;
  }

  startsOfTrunk(trunkId: string, now: number): number {
    return this.#starts.get(trunkKey(trunkId))?.count(now) ?? 0;
  }

  #enter(sessionId: string, entry: Entry, startedAt: number): void {
    this.#sessions.set(sessionId, entry);
    for (const key of keysOf(entry)) {
      this.#calls.set(key, (this.#calls.get(key) ?? 0) + 1);
      this.#rate(key).add(startedAt);
    }
  }

  #rate(key: string): StartRate {
    let rate = this.#starts.get(key);
    if (!rate) {
      rate = new StartRate();
      this.#starts.set(key, rate);
    }
    return rate;
  }
}

/** How many starts fell into the last second, exact to one slot. */
class StartRate {
  readonly #slots = new Uint32Array(SLOTS);
  #newest = 0;

  add(at: number): void {
    const slot = Math.floor(at / SLOT_MS);
    if (slot <= this.#newest - SLOTS) return;
    this.#advance(slot);
    this.#slots[slot % SLOTS]! += 1;
  }

  count(now: number): number {
    this.#advance(Math.floor(now / SLOT_MS));
    return this.#slots.reduce((sum, starts) => sum + starts, 0);
  }

  #advance(slot: number): void {
    if (slot - this.#newest >= SLOTS) this.#slots.fill(0);
    else for (let s = this.#newest + 1; s <= slot; s += 1) this.#slots[s % SLOTS] = 0;
    this.#newest = Math.max(this.#newest, slot);
  }
}

function trunkKey(trunkId: string): string {
  // Tenant ids hold no "/": the two never meet in one map.
  return `trunk/${trunkId}`;
}

function keysOf({ tenantId, trunkId }: LiveSession): string[] {
  return trunkId ? [tenantId, trunkKey(trunkId)] : [tenantId];
}
