import type { SessionCacheServiceServer } from '@callmesh/proto/session';
import { CallmeshError, type Component } from '@callmesh/runtime';
import { Calls } from './domain/calls.ts';
import { heldCodec } from './domain/codec.ts';
import { Compaction } from './domain/compaction.ts';
import type { AorRecord } from './domain/contacts.ts';
import { FanOut } from './domain/fan-out.ts';
import { IdleNodes } from './domain/idle-nodes.ts';
import { aorCodec, Registrar } from './domain/registrar.ts';
import { Replica } from './domain/replica.ts';
import type { Held } from './domain/session.ts';
import { type Deed, Sessions } from './domain/sessions.ts';
import type { FeedingStore } from './domain/store.ts';
import { Sweep } from './domain/sweep.ts';
import { bindingHandlers } from './handlers/bindings.ts';
import { registrationHandlers } from './handlers/registrations.ts';

export interface Parts {
  readonly sessionStore: FeedingStore;
  readonly registrationStore: FeedingStore;
  /** Tells the mesh of a change this replica made. */
  readonly tell: (deed: Deed) => void;
  /** Says why a store is silent, or (null) that it is back. */
  readonly degraded: (source: string, reason: string | null) => void;
  /** Takes what went wrong in the background. */
  readonly fault: (what: string, error: unknown) => void;
  readonly restored: (source: string, count: number) => void;
  readonly limits: { readonly sessions: number; readonly aors: number };
  readonly unconfirmedMs: number;
}

const SWEEP_MS = 1_000;
const COMPACT_MS = 30_000;
const OVER_MS = 5_000;
const ORPHAN_MS = 60_000;

/** All of session-cache but its servers: give it stores, serve its handlers, feed it call events. */
export class SessionCache implements Component {
  readonly name = 'session-cache';
  readonly sessions: Sessions;
  readonly calls: Calls;
  readonly idleNodes: IdleNodes;
  readonly replica: Replica<Held>;
  readonly registrations: Replica<AorRecord>;
  readonly handlers: SessionCacheServiceServer;
  readonly #sweep: Sweep;
  readonly #registrar: Registrar;
  readonly #compactions: Compaction[];
  readonly #drained = new AbortController();
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #fault: Parts['fault'];

  constructor(parts: Parts) {
    const now = () => Date.now();
    this.#fault = parts.fault;
    this.replica = new Replica<Held>(parts.sessionStore, heldCodec());
    this.registrations = new Replica<AorRecord>(parts.registrationStore, aorCodec);
    this.sessions = new Sessions({
      replica: this.replica,
      tell: parts.tell,
      maxSessions: parts.limits.sessions,
    });
    this.calls = new Calls(this.sessions, this.replica, now);
    const mono = () => performance.now();
    this.idleNodes = new IdleNodes(this.sessions, this.replica, mono);
    const times = { unconfirmedMs: parts.unconfirmedMs, overMs: OVER_MS, orphanMs: ORPHAN_MS };
    this.#sweep = new Sweep(this.sessions, this.replica, times, mono);
    this.#registrar = new Registrar(this.registrations, now, parts.limits.aors);
    this.#compactions = [
      new Compaction(this.replica, parts.sessionStore),
      new Compaction(this.registrations, parts.registrationStore),
    ];
    for (const [source, replica] of [
      ['sessions', this.replica],
      ['registrations', this.registrations],
    ] as const) {
      replica.onHealth = (reason) => parts.degraded(`store-${source}`, reason);
      replica.onRestored = (count) => parts.restored(source, count);
    }
    const fanOut = new FanOut(this.replica);
    const drained = this.#drained.signal;
    this.handlers = {
      ...bindingHandlers({ sessions: this.sessions, fanOut, now, drained }),
      ...registrationHandlers(this.#registrar),
    };
  }

  async start(): Promise<void> {
    this.replica.start();
    this.registrations.start();
    this.#every('sweep', SWEEP_MS, async () => {
      await this.#sweep.run();
      await this.idleNodes.run();
      await this.#registrar.sweep();
    });
    this.#every('compaction', COMPACT_MS, async () => {
      for (const compaction of this.#compactions) await compaction.run();
    });
  }

  /** Ends the long streams, so that the server can finish the rest. */
  async drain(): Promise<void> {
    this.#drained.abort();
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  /** Runs a job again and again, each time after the last one ended; replicas spread out by chance. */
  #every(what: string, ms: number, job: () => Promise<void>): void {
    const index = this.#timers.length;
    const next = () => {
      this.#timers[index] = setTimeout(run, ms * (0.75 + Math.random() / 2));
    };
    const run = async () => {
      try {
        await job();
      } catch (error) {
        const silent = error instanceof CallmeshError && error.code === 'unavailable';
        if (!silent) this.#fault(what, error);
      }
      if (!this.#drained.signal.aborted) next();
    };
    next();
  }
}
