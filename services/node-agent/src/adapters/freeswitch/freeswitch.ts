import { BackendState, type Node } from '@callmesh/proto/node';
import type { App, CallPublisher, Component } from '@callmesh/runtime';
import type { Setting } from '../../domain/commands/plan.ts';
import type { Fields } from '../../domain/fields.ts';
import { type Identity, type Life, nodeOf } from '../../domain/identity.ts';
import type { Leg } from '../../domain/leg.ts';
import { retiring, type Verdict, verdict } from '../../domain/liveness.ts';
import type { Load } from '../../domain/load.ts';
import type { Announcer } from '../announcer.ts';
import { EslClient } from '../esl/client.ts';
import type { EslAddress, EslConnection } from '../esl/connection.ts';
import type { EslEvent } from '../esl/event.ts';
import type { LoadSource } from '../load-publisher.ts';
import type { Attendant } from './attendant.ts';
import { CUSTOM, EVENTS } from './events.ts';
import { Legs } from './legs.ts';
import { askLife, askPlace, NOWHERE, type Place } from './life.ts';
import { Pulse } from './pulse.ts';
import { Standstill } from './standstill.ts';

/** How long after a connection was made it is compared again: the list lags, and what it lacked had no event. */
const CAUGHT_UP_MS = 1_000;

/** What the sidecar of a FreeSWITCH tells the mesh through. */
export interface FreeSwitchOutlets {
  readonly announcer: Announcer;
  readonly calls: CallPublisher;
  /** Called when the load may have changed; `now` when it must not wait. */
  readonly onLoad: (now: boolean) => void;
  /** Legs of earlier lives of the node that others go on with. */
  readonly left: (node: Node) => Promise<ReadonlySet<string>>;
  /** Whether others go on with the legs of this life, so that it is over. Errors: unavailable. */
  readonly isGivenUp: () => Promise<boolean>;
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
  readonly #legs: Legs;
  readonly #pulse: Pulse;
  #life: Life | undefined;
  #place: Place = NOWHERE;
  #closed: string | undefined = 'not connected yet';
  #shutdown = false;
  #retires = false;
  #again: NodeJS.Timeout | undefined;
  readonly #standstill = new Standstill(async () => {
    const over = await this.#outlets.isGivenUp();
    if (over) this.giveWay();
    return !over;
  });

  /** `file` keeps the live legs across a restart of the agent. */
  constructor(app: App, identity: Identity, address: EslAddress, file: string, outlets: FreeSwitchOutlets) {
    this.#app = app;
    this.#identity = identity;
    this.#outlets = outlets;
    this.#legs = new Legs(app, outlets.calls, file, () => outlets.onLoad(false));
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

  legs(): readonly Leg[] {
    return this.#legs.table.legs();
  }

  /** Where it takes and sends media. */
  get mediaAddress(): string {
    return this.#place.mediaAddress;
  }

  /** Legs of a dead node are to go on here. */
  inherit(legs: readonly Leg[]): void {
    this.#legs.inherit(legs);
  }

  /** An inherited leg is here; with a cause, it is given up. */
  settle(uuid: string, cause?: string): void {
    this.#legs.settle(uuid, cause);
  }

  /** Nobody goes on with a leg of an earlier life. */
  endLeft(uuid: string): void {
    this.#legs.endLeft(uuid);
  }

  setting(now: number): Setting {
    return { ...this.#place, now, leg: (uuid) => this.#legs.get(uuid) };
  }

  /** A far end was put on hold by command, or taken back; `fields` is FreeSWITCH's word for it. */
  held(uuid: string, on: boolean, fields: Fields): void {
    this.#legs.hold(uuid, on, fields);
  }

  async start(): Promise<void> {
    this.#client.start();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#again);
    this.#pulse.end();
    this.#client.stop();
    this.#legs.stop();
  }

  /** The node is to take no new sessions any more. */
  retire(): void {
    this.#retires = true;
    this.#outlets.onLoad(true);
  }

  /** Others go on with legs of this life: it ends as if it were killed, so that no far end hears of it. */
  giveWay(): void {
    if (this.epoch === undefined) return;
    this.#app.log.warn({ epoch: this.epoch }, 'others go on with its calls: it is ended');
    this.connection.api('fsctl crash').catch(() => {});
  }

  load(now: number): Load {
    return {
      sessions: this.#legs.table.size,
      maxSessions: this.node?.maxSessions ?? 0,
      idleCpu: this.#pulse.idleCpu,
      created: this.#legs.table.created,
      ...this.#verdict(now),
    };
  }

  takeStarted(): string[] {
    return this.#legs.table.takeStarted();
  }

  returnStarted(started: readonly string[]): void {
    this.#legs.table.returnStarted(started);
  }

  async #onOpen(connection: EslConnection): Promise<void> {
    const { attendants, announcer, onLoad } = this.#outlets;
    this.#life = await askLife(connection);
    this.#place = await askPlace(connection);
    const node = nodeOf(this.#identity, this.#life);
    this.#legs.begin(node, this.#place.recordings, await this.#outlets.left(node));
    this.#shutdown = false;
    const wanted = attendants.flatMap(({ subclasses }) => subclasses);
    await connection.subscribe([...EVENTS, ...CUSTOM, ...wanted]);
    this.#pulse.begin(connection, Date.now());
    await this.#legs.reconcile(connection);
    this.#again = setTimeout(() => void this.#legs.reconcile(connection), CAUGHT_UP_MS);
    this.#closed = undefined;
    this.#app.degraded('freeswitch', null);
    announcer.up(node);
    onLoad(true);
    for (const attendant of attendants) void attendant.onOpen?.(connection);
  }

  #onClose(reason: string): void {
    clearTimeout(this.#again);
    this.#pulse.end();
    this.#closed = reason;
    this.#app.degraded('freeswitch', reason);
    this.#outlets.announcer.down(reason);
    if (this.#shutdown) this.#legs.endAll('SYSTEM_SHUTDOWN');
    this.#outlets.onLoad(true);
  }

  #onEvent(event: EslEvent): void {
    const now = Date.now();
    if (event.name === 'HEARTBEAT') this.#onHeartbeat(event, now);
    if (event.name === 'SHUTDOWN') this.#shutdown = true;
    this.#legs.apply(event, now);
    for (const attendant of this.#outlets.attendants)
      event.name === 'CUSTOM' ? attendant.onCustom(event) : attendant.onEvent?.(event);
  }

  #onHeartbeat(event: EslEvent, now: number): void {
    this.#pulse.heartbeat(event, now);
    if (this.#closed === undefined) {
      this.#onLimit(event.number('Max-Sessions'));
      this.#legs.heartbeat(event.number('Session-Count'), this.#client.connection, now);
    }
    this.#outlets.onLoad(false);
  }

  /** The limit was changed while it runs. */
  #onLimit(limit: number | undefined): void {
    if (!this.#life || limit === undefined || limit === this.#life.maxSessions) return;
    this.#life = { ...this.#life, maxSessions: limit };
    this.#outlets.announcer.up(nodeOf(this.#identity, this.#life));
  }

  #verdict(now: number): Verdict {
    const found = this.#standstill.seen(verdict(this.#pulse.signs(this.#closed), now), now);
    return this.#retires ? retiring(found) : found;
  }

  /** Called at least once a second while connected. */
  #onPulse(): void {
    this.#outlets.onLoad(false);
    const { backend, reason } = this.#verdict(Date.now());
    if (this.#closed === undefined) {
      this.#app.degraded('freeswitch', backend === BackendState.BACKEND_STATE_STUCK ? reason : null);
    }
  }
}
