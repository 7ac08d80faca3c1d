/** A leg the platform has called out through a trunk. */
export interface TrunkLeg {
  readonly trunkId: string;
  readonly sessionId: string;
  readonly nodeId: string;
  readonly nodeEpoch: string;
  /** Since when it is known here, Unix milliseconds. */
  readonly since: number;
}

/** A call that was sent out but makes no leg within this time, failed before it began. */
const ASSIGNED_TTL_MS = 10_000;

/**
 * Counts the legs that leave by each trunk, over all instances: those that nodes have
 * told of, and before that the calls this instance has just sent out, by the first
 * trunk they were to try. The first leg of such a call, whichever trunk it went by,
 * takes the place of the assignment.
 */
export class TrunkLegs {
  readonly #legs = new Map<string, TrunkLeg>();
  readonly #assigned = new Map<string, { readonly trunkId: string; readonly expires: number }>();
  readonly #counts = new Map<string, number>();

  /** Legs and assignments that count. */
  get size(): number {
    return this.#legs.size + this.#assigned.size;
  }

  count(trunkId: string): number {
    return this.#counts.get(trunkId) ?? 0;
  }

  /** False when this call is counted already: it was asked about twice. */
  assign(sessionId: string, trunkId: string, now: number): boolean {
    if (this.#assigned.has(sessionId)) return false;
    this.#assigned.set(sessionId, { trunkId, expires: now + ASSIGNED_TTL_MS });
    this.#change(trunkId, 1);
    return true;
  }

  /** True when it begins a call nobody here had assigned. */
  created(uuid: string, leg: TrunkLeg): boolean {
    if (this.#legs.has(uuid)) return false;
    this.#legs.set(uuid, leg);
    this.#change(leg.trunkId, 1);
    return !this.#unassign(leg.sessionId);
  }

  ended(uuid: string): void {
    const leg = this.#legs.get(uuid);
    if (!leg) return;
    this.#legs.delete(uuid);
    this.#change(leg.trunkId, -1);
  }

  /** Forgets assignments that came to nothing, and legs of which `lives` says that they cannot be any more. */
  sweep(now: number, lives: (leg: TrunkLeg) => boolean): void {
    for (const [id, { expires }] of this.#assigned) {
      if (expires > now) break;
      this.#unassign(id);
    }
    for (const [uuid, leg] of this.#legs) if (!lives(leg)) this.ended(uuid);
  }

  #unassign(sessionId: string): boolean {
    const assigned = this.#assigned.get(sessionId);
    if (!assigned) return false;
    this.#assigned.delete(sessionId);
    this.#change(assigned.trunkId, -1);
    return true;
  }

  #change(trunkId: string, by: number): void {
    const count = this.count(trunkId) + by;
    if (count > 0) this.#counts.set(trunkId, count);
    else this.#counts.delete(trunkId);
  }
}
