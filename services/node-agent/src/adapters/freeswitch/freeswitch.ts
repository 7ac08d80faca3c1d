import { BackendState, type Node } from '@callmesh/proto/node';
import type { App, CallPublisher, Component } from '@callmesh/runtime';
import { callEventOf } from '../../domain/call-event.ts';
import type { Setting } from '../../domain/commands/plan.ts';
import type { Fields } from '../../domain/fields.ts';
import { type Identity, type Life, nodeOf } from '../../domain/identity.ts';
import type { Leg } from '../../domain/leg.ts';
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
import { CUSTOM, EVENTS } from './events.ts';
import { LegMemory, type RememberedLegs } from './leg-memory.ts';
import { askLife, askPlace, endFields, NOWHERE, type Place } from './life.ts';
import { Pulse } from './pulse.ts';
import { reconcile } from './reconciler.ts';

/** How often the table is compared with FreeSWITCH's list, milliseconds. */
const RECONCILE_MS = 60_000;
/** How long after a connection was made it is compared again: the list lags, and what it lacked had no event. */
const CAUGHT_UP_MS = 1_000;
/** Shortest pause between two comparisons, milliseconds. */
const RECONCILE_AGAIN_MS = 10_000;

/** What the sidecar of a FreeSWITCH tells the mesh through. */
export interface FreeSwitchOutlets {
  readonly announcer: Announcer;
  readonly calls: CallPublisher;
  /** Called when the load may have changed; `now` when it must not wait. */
  readonly onLoad: (now: boolean) => void;
  /** Who else works over the connection. */
  readonly attendants: readonly Attendant[];
}

/** The agent's side of one FreeSWITCH: its lives, its legs, and how it is. */
export class FreeSwitch implements Component, LoadSource {
  readonly name = 'freeswitch';
  readonly #app: App;
  readonly #identity: Identity;
  readonly #outlets: FreeSwitchOutlets;
  readonly #client: EslClient;
  readonly #legs = new LegTable();
  readonly #memory: LegMemory;
  readonly #pulse: Pulse;
  readonly #drift = new DriftWatch();
  #life: Life | undefined;
  #place: Place = NOWHERE;
  #closed: string | undefined = 'not connected yet';
  #shutdown = false;
  #again: NodeJS.Timeout | undefined;
  #reconciling: EslConnection | undefined;
  #reconciledAt = 0;

  /** `file` keeps the live legs across a restart of the agent. */
  constructor(app: App, identity: Identity, address: EslAddress, file: string, outlets: FreeSwitchOutlets) {
    this.#app = app;
    this.#identity = identity;
    this.#outlets = outlets;
    this.#memory = new LegMemory(
      file,
      () => this.#remembered(),
      (error) => app.log.error({ err: error }, 'live legs could not be written'),
    );
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

  /** The life that is connected and whose legs are known; undefined while there is none. */
  get epoch(): string | undefined {
    return this.#closed === undefined ? this.#life?.epoch : undefined;
  }

  /** The open connection. Errors: unavailable. */
  get connection(): EslConnection {
    return this.#client.connection;
  }

  leg(uuid: string): Leg | undefined {
    return this.#legs.get(uuid);
  }

  setting(now: number): Setting {
    return { ...this.#place, now, leg: (uuid) => this.#legs.get(uuid) };
  }

  /** A far end was put on hold by command, or taken back; `fields` is FreeSWITCH's word for it. */
  held(uuid: string, on: boolean, fields: Fields): void {
    this.#tell(this.#legs.hold(uuid, on), fields);
  }

  async start(): Promise<void> {
    this.#client.start();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#again);
    this.#pulse.end();
    this.#client.stop();
    await this.#memory.stop();
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
    this.#place = await askPlace(connection);
    this.#begin(life);
    this.#shutdown = false;
    const { attendants, announcer, onLoad } = this.#outlets;
    const wanted = attendants.flatMap(({ subclasses }) => subclasses);
    await connection.subscribe([...EVENTS, ...CUSTOM, ...wanted]);
    this.#pulse.begin(connection, Date.now());
    await this.#reconcile(connection);
    this.#again = setTimeout(() => this.#reconcileNow(), CAUGHT_UP_MS);
    this.#closed = undefined;
    this.#app.degraded('freeswitch', null);
    announcer.up(nodeOf(this.#identity, life));
    onLoad(true);
    for (const attendant of attendants) void attendant.onOpen?.(connection);
  }

  /** Another life has none of the legs of the last; the first we see may be one an earlier agent knew legs of. */
  #begin(life: Life): void {
    if (life.epoch === this.#life?.epoch) {
      this.#legs.doubt();
      return;
    }
    if (this.#life) {
      this.#endAllLegs(undefined);
      this.#legs.clear();
    } else this.#recall(life);
    this.#life = life;
  }

  #recall(life: Life): void {
    const { epoch, legs } = this.#memory.load() ?? { epoch: '', legs: [] };
    const before = { ...life, epoch };
    this.#legs.recall(legs);
    if (epoch === life.epoch || legs.length === 0) return;
    // FreeSWITCH began anew as well: nobody else tells of the legs of its old life.
    this.#life = before;
    this.#endAllLegs(undefined);
    this.#legs.clear();
  }

  #remembered(): RememberedLegs | undefined {
    return this.#life && { epoch: this.#life.epoch, legs: this.#legs.legs().filter(({ hungUp }) => !hungUp) };
  }

  #onClose(reason: string): void {
    clearTimeout(this.#again);
    this.#pulse.end();
    this.#closed = reason;
    this.#app.degraded('freeswitch', reason);
    this.#outlets.announcer.down(reason);
    if (this.#shutdown) this.#endAllLegs('SYSTEM_SHUTDOWN');
    this.#outlets.onLoad(true);
  }

  #onEvent(event: EslEvent): void {
    const now = Date.now();
    if (event.name === 'HEARTBEAT') this.#onHeartbeat(event, now);
    if (event.name === 'SHUTDOWN') this.#shutdown = true;
    const before = this.#legs.size;
    this.#tell(this.#legs.apply(event, now), event);
    if (this.#legs.size !== before) this.#outlets.onLoad(false);
    for (const attendant of this.#outlets.attendants)
      event.name === 'CUSTOM' ? attendant.onCustom(event) : attendant.onEvent?.(event);
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
      const corrected = await reconcile(connection, this.#legs, (events, fields) =>
        this.#tell(events, fields, true),
      );
      if (corrected > 0)
        this.#app.log.info({ corrected, sessions: this.#legs.size }, 'sessions were reconciled');
      this.#app.degraded('session-count', null);
    } catch (error) {
      if (!connection.closed) this.#app.degraded('session-count', (error as Error).message);
    } finally {
      if (this.#reconciling === connection) this.#reconciling = undefined;
    }
  }

  #tell(events: readonly LegEvent[], fields: Fields, reconciled = false): void {
    const { node } = this;
    if (!node || events.length === 0) return;
    const told = { node, recordings: this.#place.recordings, reconciled, now: Date.now() };
    for (const event of events) this.#outlets.calls.publish(callEventOf(event, fields, told));
    this.#memory.touch();
    this.#outlets.onLoad(false);
  }

  /** The node's life is over and not every leg's end was told: by its own shutdown, or because it was killed. */
  #endAllLegs(cause: string | undefined): void {
    const now = Date.now();
    for (const [index, leg] of this.#legs.legs().entries()) {
      // No event of FreeSWITCH lends its number: later than all of them, and each its own.
      this.#tell(this.#legs.remove(leg.uuid, now), endFields(cause, now * 1000 + index), true);
    }
  }
}
