/** How the node's agent sees its server: only `up` takes new sessions. */
export type Backend = 'up' | 'down' | 'stuck' | 'paused';

/** What is known of the load of one life of a node; kept current by the ledger, read by decisions. */
export interface NodeLoad {
  /** Live channels as last reported. */
  sessions: number;
  /** Most channels the node itself says it accepts; 0 means unlimited. */
  max: number;
  /** Sessions assigned by any policy instance that no report has listed yet. */
  pending: number;
  backend: Backend;
}

export interface LoadReport {
  readonly nodeId: string;
  readonly epoch: string;
  readonly sessions: number;
  readonly max: number;
  readonly seq: number;
  readonly startedSessions: readonly string[];
  readonly backend: Backend;
}

interface Life {
  readonly load: NodeLoad;
  seq: number;
  /** Session id to the time its assignment is forgotten, oldest first. */
  readonly assigned: Map<string, number>;
  /** Session ids a report listed, to the time that is forgotten, oldest first. */
  readonly started: Map<string, number>;
}

/** An assignment that no report lists within this time never reached its node, milliseconds. */
export const PENDING_TTL_MS = 5_000;
/** A report can overtake another instance's announcement of the same session by no more than this. */
const STARTED_TTL_MS = 10_000;

/**
 * Counts sessions per node life: what the node reported, and what this and the
 * other policy instances have assigned that no report counts yet. Without the
 * second part a burst would herd onto the node that was lightest a second ago.
 */
export class Ledger {
  readonly #lives = new Map<string, Life>();

  /** The load of a node life; the same object for as long as that life is known. */
  load(nodeId: string, epoch: string): NodeLoad {
    return this.#life(nodeId, epoch).load;
  }

  /** A session goes to a node: own decision, or one that another instance announced. */
  assign(nodeId: string, epoch: string, sessionId: string, now: number): void {
    const life = this.#life(nodeId, epoch);
    if (life.started.has(sessionId) || life.assigned.has(sessionId)) return;
    life.assigned.set(sessionId, now + PENDING_TTL_MS);
    life.load.pending = life.assigned.size;
  }

  /** The session went elsewhere after all. */
  unassign(nodeId: string, epoch: string, sessionId: string): void {
    const life = this.#life(nodeId, epoch);
    life.assigned.delete(sessionId);
    life.load.pending = life.assigned.size;
  }

  /**
   * Takes a report. One that comes late (smaller seq) still tells which sessions
   * started, for the newer one counted them; its other numbers are past.
   */
  report(report: LoadReport, now: number): void {
    const life = this.#life(report.nodeId, report.epoch);
    for (const sessionId of report.startedSessions) {
      life.started.set(sessionId, now + STARTED_TTL_MS);
      life.assigned.delete(sessionId);
    }
    life.load.pending = life.assigned.size;
    // An agent that started anew counts from one again.
    const late = report.seq < life.seq && life.seq - report.seq < 1_000;
    if (late && report.seq > 1) return;
    life.seq = report.seq;
    life.load.sessions = report.sessions;
    life.load.max = report.max;
    life.load.backend = report.backend;
  }

  /** Forgets what has been kept long enough; to be called every few hundred milliseconds. */
  expire(now: number): void {
    for (const life of this.#lives.values()) {
      dropUntil(life.started, now);
      dropUntil(life.assigned, now);
      life.load.pending = life.assigned.size;
    }
  }

  /** Drops a life that is over, e.g. the epoch before a restart. */
  forget(nodeId: string, epoch: string): void {
    this.#lives.delete(`${nodeId} ${epoch}`);
  }

  /** Assignments over all nodes that no report has listed yet. */
  get pending(): number {
    let sum = 0;
    for (const life of this.#lives.values()) sum += life.load.pending;
    return sum;
  }

  #life(nodeId: string, epoch: string): Life {
    const key = `${nodeId} ${epoch}`;
    let life = this.#lives.get(key);
    if (!life) {
      const load: NodeLoad = { sessions: 0, max: 0, pending: 0, backend: 'up' };
      life = { load, seq: 0, assigned: new Map(), started: new Map() };
      this.#lives.set(key, life);
    }
    return life;
  }
}

/** Entries go in with one time to live, so the oldest is always first. */
function dropUntil(entries: Map<string, number>, now: number): void {
  for (const [key, expires] of entries) {
    if (expires > now) return;
    entries.delete(key);
  }
}
