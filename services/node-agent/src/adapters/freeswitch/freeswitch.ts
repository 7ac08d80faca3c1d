import { BackendState, type Node } from '@callmesh/proto/node';
import type { App, CallPublisher, Component } from '@callmesh/runtime';
import { callEventOf } from '../../domain/call-event.ts';
import type { Fields } from '../../domain/fields.ts';
import { type Identity, type Life, nodeOf } from '../../domain/identity.ts';
import { type LegEvent, LegTable } from '../../domain/leg-table.ts';
import { verdict } from '../../domain/liveness.ts';
import type { Load } from '../../domain/load.ts';
import { DriftWatch } from '../../domain/reconcile.ts';
import type { Announcer } from '../announcer.ts';
import { EslClient } from '../esl/client.ts';
import type { EslAddress, EslConnection } from '../esl/connection.ts';
import type { EslEvent } from '../esl/event.ts';
import type { LoadSource } from '../load-publisher.ts';
import type { Attendant } from './attendant.ts';
import { askLife, shutdownFields } from './life.ts';
import { Pulse } from './pulse.ts';
import { reconcile } from './reconciler.ts';

const EVENTS = [
  ...['CHANNEL_CREATE', 'CHANNEL_PROGRESS', 'CHANNEL_PROGRESS_MEDIA', 'CHANNEL_ANSWER', 'CHANNEL_BRIDGE'],
  ...['CHANNEL_HOLD', 'DTMF', 'CHANNEL_HANGUP_COMPLETE', 'CHANNEL_DESTROY', 'CHANNEL_UUID'],
  ...['HEARTBEAT', 'BACKGROUND_JOB', 'SHUTDOWN'],
];
/** How often the table is compared with FreeSWITCH's list, milliseconds. */
const RECONCILE_MS = 60_000;
/** Shortest pause between two comparisons, milliseconds. */
const RECONCILE_AGAIN_MS = 10_000;

/** What the sidecar of a FreeSWITCH tells the mesh through. */
export interface FreeSwitchOutlets {
  readonly announcer: Announcer;
  readonly calls: CallPublisher;
  /** Called when the load may have changed; `now` when it must not wait. */
  readonly onLoad: (now: boolean) => void;
  /** Who else works over the connection. */
  readonly attendants?: readonly Attendant[];
}

/** The agent's side of one FreeSWITCH: its lives, its legs, and how it is. */
export class FreeSwitch implements Component, LoadSource {
  readonly name = 'freeswitch';
  readonly #app: App;
  readonly #identity: Identity;
  readonly #outlets: FreeSwitchOutlets;
  readonly #client: EslClient;
  readonly #legs = new LegTable();
  readonly #pulse: Pulse;
  readonly #drift = new DriftWatch();
  #life: Life | undefined;
  #closed: string | undefined = 'not connected yet';
  #shutdown = false;
  #reconciling: EslConnection | undefined;
  #reconciledAt = 0;

  constructor(app: App, identity: Identity, address: EslAddress, outlets: FreeSwitchOutlets) {
    this.#app = app;
    this.#identity = identity;
    this.#outlets = outlets;
    this.#pulse = new Pulse(() => this.#onPulse());
    this.#client = new EslClient(address, {
      onOpen: (connection) => this.#onOpen(connection),
      onEvent: (event) => this.#onEvent(event),
      onClose: (reason) => this.#onClose(`esl closed: ${reason}`),
      onRefused: (reason) => app.degraded('freeswitch', reason),
    });
  }

  get node(): Node | undefined {
    return this.#life && nodeOf(this.#identity, this.#life);
  }

  get reconnects(): number {
    return this.#client.reconnects;
  }

  async start(): Promise<void> {
    this.#client.start();
  }

  async stop(): Promise<void> {
    this.#pulse.end();
    this.#client.stop();
  }

  load(now: number): Load {
    return {
      sessions: this.#legs.size,
      maxSessions: this.node?.maxSessions ?? 0,
      idleCpu: this.#pulse.idleCpu,
      created: this.#legs.created,
      ...verdict(this.#pulse.signs(this.#closed), now),
    };
  }

  takeStarted(): string[] {
    return this.#legs.takeStarted();
  }

  returnStarted(started: readonly string[]): void {
    this.#legs.returnStarted(started);
  }

  async #onOpen(connection: EslConnection): Promise<void> {
    const life = await askLife(connection);
    if (life.epoch !== this.#life?.epoch) this.#legs.clear();
    this.#life = life;
    this.#shutdown = false;
    await connection.subscribe([...EVENTS, ...this.#subclasses()]);
    this.#pulse.begin(connection, Date.now());
    await this.#reconcile(connection);
    this.#closed = undefined;
    this.#app.degraded('freeswitch', null);
    this.#outlets.announcer.up(nodeOf(this.#identity, life));
    this.#outlets.onLoad(true);
    for (const attendant of this.#attendants) void attendant.onOpen(connection);
  }

  get #attendants(): readonly Attendant[] {
    return this.#outlets.attendants ?? [];
  }

  /** Everything after CUSTOM is a subclass to FreeSWITCH: they come last. */
  #subclasses(): string[] {
    const wanted = this.#attendants.flatMap(({ subclasses }) => subclasses);
    return wanted.length > 0 ? ['CUSTOM', ...wanted] : [];
  }

  #onClose(reason: string): void {
    this.#pulse.end();
    this.#closed = reason;
    this.#app.degraded('freeswitch', reason);
    this.#outlets.announcer.down(reason);
    if (this.#shutdown) this.#endAllLegs();
    this.#outlets.onLoad(true);
  }

  #onEvent(event: EslEvent): void {
    const now = Date.now();
    if (event.name === 'HEARTBEAT') this.#onHeartbeat(event, now);
    if (event.name === 'SHUTDOWN') this.#shutdown = true;
    if (event.name === 'CUSTOM') for (const attendant of this.#attendants) attendant.onCustom(event);
    const told = this.#legs.apply(event, now);
    if (!told) return;
    this.#tell(told, event);
    this.#outlets.onLoad(false);
  }

  #onHeartbeat(event: EslEvent, now: number): void {
    this.#pulse.heartbeat(event, now);
    const limit = event.number('Max-Sessions');
    if (this.#life && limit !== undefined && limit !== this.#life.maxSessions && this.#closed === undefined) {
      this.#life = { ...this.#life, maxSessions: limit };
      this.#outlets.announcer.up(nodeOf(this.#identity, this.#life));
    }
    const drifted = this.#drift.observe(event.number('Session-Count') ?? this.#legs.size, this.#legs.size);
    const since = now - this.#reconciledAt;
    if ((drifted && since > RECONCILE_AGAIN_MS) || since > RECONCILE_MS) this.#reconcileNow();
    this.#outlets.onLoad(false);
  }

  /** Called at least once a second while connected. */
  #onPulse(): void {
    this.#outlets.onLoad(false);
    const { backend, reason } = verdict(this.#pulse.signs(this.#closed), Date.now());
    if (this.#closed === undefined) {
      this.#app.degraded('freeswitch', backend === BackendState.BACKEND_STATE_STUCK ? reason : null);
    }
  }

  #reconcileNow(): void {
    try {
      void this.#reconcile(this.#client.connection);
    } catch {
      // The connection just closed; the next one reconciles anyway.
    }
  }

  /** Never fails: a count that may be off is better than a node that is not there. */
  async #reconcile(connection: EslConnection): Promise<void> {
    if (this.#reconciling === connection) return;
    this.#reconciling = connection;
    this.#reconciledAt = Date.now();
    try {
      const corrected = await reconcile(connection, this.#legs, (event, fields) => this.#tell(event, fields));
      if (corrected > 0)
        this.#app.log.info({ corrected, sessions: this.#legs.size }, 'sessions were reconciled');
      this.#app.degraded('session-count', null);
    } catch (error) {
      if (!connection.closed) this.#app.degraded('session-count', (error as Error).message);
    } finally {
      if (this.#reconciling === connection) this.#reconciling = undefined;
    }
  }

  #tell(event: LegEvent, fields: Fields): void {
    const { node } = this;
    if (node) this.#outlets.calls.publish(callEventOf(event, fields, node, Date.now()));
  }

  /** An orderly shutdown hangs up every call, but not every leg's end is told before the connection closes. */
  #endAllLegs(): void {
    const now = Date.now();
    for (const [index, leg] of this.#legs.legs().entries()) {
      const event = this.#legs.remove(leg.uuid, now);
      // No event of FreeSWITCH lends its number: later than all of them, and each its own.
      if (event) this.#tell(event, shutdownFields(now * 1000 + index));
    }
  }
}
