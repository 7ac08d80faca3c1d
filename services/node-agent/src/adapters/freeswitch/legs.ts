import type { Node } from '@callmesh/proto/node';
import type { App, CallPublisher } from '@callmesh/runtime';
import { callEventOf } from '../../domain/call-event.ts';
import type { Fields } from '../../domain/fields.ts';
import type { Leg } from '../../domain/leg.ts';
import { type LegEvent, LegTable } from '../../domain/leg-table.ts';
import { DriftWatch } from '../../domain/reconcile.ts';
import type { EslConnection } from '../esl/connection.ts';
import type { EslEvent } from '../esl/event.ts';
import { LegMemory } from './leg-memory.ts';
import { LegMetrics } from './leg-metrics.ts';
import { endFields } from './life.ts';
import { reconcile } from './reconciler.ts';
import { inTrace } from './trace.ts';

/** How often the table is compared with FreeSWITCH's list, milliseconds. */
const RECONCILE_MS = 60_000;
/** Shortest pause between two comparisons, milliseconds. */
const RECONCILE_AGAIN_MS = 10_000;

/** The legs of one FreeSWITCH through its lives and through the agent's: kept true, and told of. */
export class Legs {
  readonly #app: App;
  readonly #calls: CallPublisher;
  readonly #metrics: LegMetrics;
  readonly #onChange: () => void;
  readonly #table = new LegTable();
  readonly #memory: LegMemory;
  readonly #drift = new DriftWatch();
  /** Legs of lives that are over whose end is another's to tell, unless nobody goes on with them. */
  readonly #left = new Map<string, { readonly leg: Leg; readonly node: Node }>();
  #node: Node | undefined;
  #recordings = '';
  #reconciling: EslConnection | undefined;
  #reconciledAt = 0;

  /** `file` keeps the live legs across a restart of the agent. */
  constructor(app: App, calls: CallPublisher, file: string, onChange: () => void) {
    this.#app = app;
    this.#metrics = new LegMetrics(app);
    this.#calls = calls;
    this.#onChange = onChange;
    this.#memory = new LegMemory(
      file,
      () => this.#node && { epoch: this.#node.epoch, legs: this.#table.legs().filter((leg) => !leg.hungUp) },
      (error) => app.log.error({ err: error }, 'live legs could not be written'),
    );
  }

  get table(): LegTable {
    return this.#table;
  }

  get(uuid: string): Leg | undefined {
    return this.#table.get(uuid);
  }

  stop(): void {
    this.#memory.flush();
    this.#memory.close();
  }

  /**
   * A connection was made to this life of the node. Of the legs of the same life
   * events were missed; another life has none of them, and nobody else tells their end.
   * Those in `others` are not ours to tell of any more: another node goes on with them.
   */
  begin(node: Node, recordings: string, others: ReadonlySet<string>): void {
    const before = this.#node;
    this.#recordings = recordings;
    if (before?.epoch === node.epoch) this.#table.doubt();
    else if (before) this.#forget(undefined, others);
    else this.#recall(node, others);
    this.#node = node;
  }

  /** What an earlier agent knew, of this life or of the one before. */
  #recall(node: Node, others: ReadonlySet<string>): void {
    const { epoch, legs } = this.#memory.load() ?? { epoch: node.epoch, legs: [] };
    this.#table.recall(legs);
    if (epoch === node.epoch) return;
    this.#node = { ...node, epoch };
    this.#forget(undefined, others);
  }

  apply(event: EslEvent, now: number): void {
    const before = this.#table.size;
    // Of a leg under another name the old one is not to be remembered: all is written anew.
    if (event.name === 'CHANNEL_UUID') this.#memory.close();
    this.#tell(this.#table.apply(event, now), event);
    if (this.#table.size !== before) this.#onChange();
  }

  /** A far end was put on hold by command, or taken back; `fields` is FreeSWITCH's word for it. */
  hold(uuid: string, on: boolean, fields: Fields): void {
    this.#tell(this.#table.hold(uuid, on), fields);
  }

  /** Legs of a dead node are to go on here. */
  inherit(legs: readonly Leg[]): void {
    this.#table.inherit(legs);
  }

  /** An inherited leg is here, or is given up. */
  settle(uuid: string, cause: string | undefined): void {
    const now = Date.now();
    const told = cause === undefined ? this.#table.moved(uuid) : this.#table.remove(uuid, now);
    this.#tell(told, endFields(cause, 0));
  }

  /** Nobody goes on with a leg of a life that is over. */
  endLeft(uuid: string): void {
    const left = this.#left.get(uuid);
    if (!left || !this.#left.delete(uuid)) return;
    const { leg, node } = left;
    const told = { node, recordings: this.#recordings, reconciled: true, now: Date.now() };
    leg.ordinal += 1;
    this.#calls.publish(callEventOf({ event: 'hangup', leg }, endFields(undefined, told.now * 1000), told));
  }

  /** A heartbeat counts as well: when the two disagree for long, or anyway from time to time, they are compared. */
  heartbeat(reported: number | undefined, connection: EslConnection, now: number): void {
    const drifted = this.#drift.observe(reported ?? this.#table.size, this.#table.size);
    const since = now - this.#reconciledAt;
    if ((drifted && since > RECONCILE_AGAIN_MS) || since > RECONCILE_MS) void this.reconcile(connection);
  }

  /** Never fails: a count that may be off is better than a node that is not there. */
  async reconcile(connection: EslConnection): Promise<void> {
    if (this.#reconciling === connection || connection.closed) return;
    this.#reconciling = connection;
    this.#reconciledAt = Date.now();
    try {
      const found = (events: readonly LegEvent[], fields: Fields) => this.#tell(events, fields, true);
      const corrected = await reconcile(connection, this.#table, found);
      if (corrected > 0)
        this.#app.log.info({ corrected, sessions: this.#table.size }, 'sessions were reconciled');
      this.#app.degraded('session-count', null);
    } catch (error) {
      if (!connection.closed) this.#app.degraded('session-count', (error as Error).message);
    } finally {
      if (this.#reconciling === connection) this.#reconciling = undefined;
    }
  }

  /** The node's life is over and not every leg's end was told: by its own shutdown, or because it was killed. */
  endAll(cause: string | undefined, others: ReadonlySet<string> = new Set()): void {
    const now = Date.now();
    for (const [index, { uuid }] of this.#table.legs().entries()) {
      if (others.has(uuid)) {
        this.#left.set(uuid, { leg: this.#table.get(uuid)!, node: this.#node! });
        continue;
      }
      // No event of FreeSWITCH lends its number: later than all of them, and each its own.
      this.#tell(this.#table.remove(uuid, now), endFields(cause, now * 1000 + index), true);
    }
  }

  #forget(cause: string | undefined, others: ReadonlySet<string>): void {
    this.endAll(cause, others);
    this.#table.clear();
  }

  #tell(events: readonly LegEvent[], fields: Fields, reconciled = false): void {
    const node = this.#node;
    if (!node || events.length === 0) return;
    const told = { node, recordings: this.#recordings, reconciled, now: Date.now() };
    for (const event of events) {
      const call = callEventOf(event, fields, told);
      inTrace(event, () => this.#calls.publish(call));
      if (call.event === 'hangup') this.#metrics.ended(call);
    }
    for (const { leg } of events) this.#memory.note(leg);
    this.#onChange();
  }
}
