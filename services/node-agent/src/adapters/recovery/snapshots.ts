import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Node } from '@callmesh/proto/node';
import type { NodeLife } from '@callmesh/proto/session';
import { RecoverySnapshot } from '@callmesh/proto/takeover';
import {
  type App,
  type Component,
  type RecoveryStore,
  toCallmeshError,
  withTimeout,
} from '@callmesh/runtime';
import type { Leg } from '../../domain/leg.ts';
import { isWhole, takingLine, variableOf } from '../../domain/recovery/channel.ts';
import type { EslConnection } from '../esl/connection.ts';
import type { EslEvent } from '../esl/event.ts';
import type { Attendant } from '../freeswitch/attendant.ts';

const compress = promisify(gzip);
/** Longest FreeSWITCH is waited for, milliseconds. */
const TAKE_MS = 3_000;
/** What happens to a call comes in several events: one snapshot for all, milliseconds. */
const SETTLE_MS = 10;
/** Legs that are taken at once. */
const LANES = 4;
/** The ACK of an answer has no event: what lacks it is taken again so soon, milliseconds. */
const UNACKNOWLEDGED_MS = 50;
/** A callee's re-INVITE of a bypassed call has no event: all are taken again so often, milliseconds. */
const SWEEP_MS = 60_000;
/** How long legs of an earlier life wait for somebody who goes on with them, milliseconds. */
const UNCLAIMED_MS = 6_000;
const REINVITE = 'sofia::reinvite';
const CHANGES = new Set([
  ...['CHANNEL_ANSWER', 'CHANNEL_BRIDGE', 'CHANNEL_UNBRIDGE', 'CHANNEL_HOLD', 'CHANNEL_UNHOLD'],
  ...['RECORD_START', 'RECORD_STOP', 'CHANNEL_HANGUP_COMPLETE'],
]);

/** What is needed of the node whose legs are kept. */
export interface SnapshotSource {
  readonly epoch: string | undefined;
  readonly connection: EslConnection;
  leg(uuid: string): Leg | undefined;
  legs(): readonly Leg[];
  /** Nobody goes on with a leg of an earlier life. */
  endLeft(uuid: string): void;
  /** Another node goes on with legs of this life: it ends at once, without a word to the far ends. */
  giveWay(): void;
}

/** Keeps a snapshot of each answered leg of the mesh outside the node, as long as the leg lives. */
export class Snapshots implements Attendant, Component {
  readonly name = 'snapshots';
  readonly subclasses = [REINVITE];
  readonly #app: App;
  readonly #nodeId: string;
  readonly #store: RecoveryStore;
  readonly #source: () => SnapshotSource;
  /** Legs whose snapshot is to be written, or removed when they are gone; in order. */
  readonly #due = new Set<string>();
  /** Legs whose snapshot is in the store, and the revision that wrote it: whoever wrote since has claimed the leg. */
  readonly #kept = new Map<string, number>();
  readonly #busy = new Set<string>();
  #settle: NodeJS.Timeout | undefined;
  #sweep: NodeJS.Timeout | undefined;
  #unclaimed: NodeJS.Timeout | undefined;
  #claims: { close(): void } | undefined;

  constructor(app: App, nodeId: string, store: RecoveryStore, source: () => SnapshotSource) {
    this.#app = app;
    this.#nodeId = nodeId;
    this.#store = store;
    this.#source = source;
    app.meter
      .createObservableGauge('callmesh_recovery_snapshots', {
        description: 'legs another node could go on with',
      })
      .addCallback((result) => result.observe(this.#kept.size));
  }

  async start(): Promise<void> {
    this.#sweep = setInterval(() => this.#all(), SWEEP_MS);
    this.#claims = this.#store.watch(this.#nodeId, (snapshot) => {
      if (this.#isClaimed(snapshot)) this.#source().giveWay();
    });
  }

  async stop(): Promise<void> {
    clearInterval(this.#sweep);
    clearTimeout(this.#settle);
    clearTimeout(this.#unclaimed);
    this.#claims?.close();
    this.#due.clear();
  }

  /** Whether others go on with legs of this life; it is over then. Errors: unavailable. */
  async isGivenUp(): Promise<boolean> {
    return (await this.#store.list(this.#nodeId)).some(({ snapshot }) => this.#isClaimed(snapshot));
  }

  #isClaimed({ life, heir }: RecoverySnapshot): boolean {
    return heir !== undefined && life?.epoch === this.#source().epoch;
  }

  /** Of legs that ended while nobody listened no event comes any more. */
  async onOpen(): Promise<void> {
    const { epoch } = this.#source();
    this.#kept.clear();
    const kept = await this.#store.list(this.#nodeId).catch(() => []);
    if (kept.some(({ snapshot }) => this.#isClaimed(snapshot))) return this.#source().giveWay();
    for (const { snapshot, revision } of kept) {
      if (snapshot.life?.epoch !== epoch) continue;
      this.#kept.set(snapshot.legUuid, revision);
      this.note(snapshot.legUuid);
    }
    this.#all();
    clearTimeout(this.#unclaimed);
    this.#unclaimed = setTimeout(() => void this.#giveUp().catch(() => {}), UNCLAIMED_MS);
  }

  /** Legs of earlier lives that nobody wanted: whoever writes first has them. */
  async #giveUp(): Promise<void> {
    const { epoch } = this.#source();
    // It died meanwhile, and its next life waits for itself.
    if (epoch === undefined) return;
    for (const { snapshot, revision } of await this.#store.list(this.#nodeId)) {
      const { legUuid, life, heir, outcome } = snapshot;
      if (life?.epoch === epoch || heir || outcome) continue;
      const ended = { ...snapshot, outcome: 'no_heir', channel: Buffer.alloc(0), leg: '' };
      if (await this.#store.replace(ended, revision)) this.#source().endLeft(legUuid);
    }
  }

  onEvent(event: EslEvent): void {
    if (CHANGES.has(event.name)) this.#noteAll(event);
    // It ends its calls itself: nobody is to go on with them.
    else if (event.name === 'SHUTDOWN')
      for (const uuid of [...this.#kept.keys()]) void this.#drop(uuid).catch(() => {});
  }

  onCustom(event: EslEvent): void {
    if (event.get('Event-Subclass') === REINVITE) this.#noteAll(event);
  }

  #all(): void {
    for (const { uuid } of this.#source().legs()) this.#due.add(uuid);
    this.#later();
  }

  /** A leg that is to be taken anew. */
  note(uuid: string): void {
    this.#due.add(uuid);
    this.#later();
  }

  /** Both legs of a connection change together. */
  #noteAll(event: EslEvent): void {
    for (const name of ['Unique-ID', 'Other-Leg-Unique-ID', 'Bridge-A-Unique-ID', 'Bridge-B-Unique-ID']) {
      const uuid = event.get(name);
      if (uuid) this.#due.add(uuid);
    }
    this.#later();
  }

  #later(): void {
    this.#settle ??= setTimeout(() => {
      this.#settle = undefined;
      this.#fill();
    }, SETTLE_MS);
  }

  /** A leg is in one lane at a time, so that its writings keep their order. */
  #fill(): void {
    for (const uuid of this.#due) {
      if (this.#busy.size >= LANES) return;
      if (this.#busy.has(uuid)) continue;
      this.#due.delete(uuid);
      this.#busy.add(uuid);
      void this.#one(uuid).finally(() => {
        this.#busy.delete(uuid);
        this.#fill();
      });
    }
  }

  /** Never fails: a call that cannot be resumed is still a call. */
  async #one(uuid: string): Promise<void> {
    try {
      const { leg, epoch } = this.#now(uuid);
      if (!leg || leg.hungUp) await this.#drop(uuid);
      else if (leg.answeredAt > 0 && leg.sessionId !== '' && epoch !== undefined)
        await this.#take(leg, epoch);
      this.#app.degraded('recovery', null);
    } catch (error) {
      this.#app.degraded('recovery', `legs cannot be kept outside the node: ${(error as Error).message}`);
    }
  }

  #now(uuid: string): { leg: Leg | undefined; epoch: string | undefined } {
    const source = this.#source();
    return { leg: source.leg(uuid), epoch: source.epoch };
  }

  async #drop(uuid: string): Promise<void> {
    if (!this.#kept.delete(uuid)) return;
    await this.#store.remove(this.#nodeId, uuid);
  }

  async #take(leg: Leg, epoch: string): Promise<void> {
    const { body } = await this.#source().connection.bgapi(takingLine(leg.uuid), TAKE_MS).catch(orNothing);
    if (!body.includes('<variables>')) return;
    if (!isWhole(body)) {
      setTimeout(() => this.note(leg.uuid), UNACKNOWLEDGED_MS);
      return;
    }
    const life: NodeLife = { nodeId: this.#nodeId, epoch };
    const snapshot = RecoverySnapshot.fromPartial({
      legUuid: leg.uuid,
      sessionId: leg.sessionId,
      tenantId: leg.tenantId,
      life,
      otherLegUuid: leg.bridgedTo,
      channel: await compress(body),
      leg: JSON.stringify(leg),
      mediaAddress: variableOf(body, 'local_media_ip') ?? '',
      takenAt: new Date(),
    });
    const revision = await this.#store.replace(snapshot, this.#kept.get(leg.uuid) ?? 0);
    if (revision === undefined) await this.#meet(leg.uuid);
    else this.#kept.set(leg.uuid, revision);
  }

  /** Somebody else wrote: who goes on with the leg, or an earlier life had it. */
  async #meet(uuid: string): Promise<void> {
    const found = await this.#store.get(this.#nodeId, uuid);
    if (found && this.#isClaimed(found.snapshot)) return this.#source().giveWay();
    this.#kept.set(uuid, found?.revision ?? 0);
    this.note(uuid);
  }
}

/** A FreeSWITCH without mod_lua keeps nothing of its legs; the gauge shows it. */
function orNothing(error: unknown): { readonly body: string } {
  if (toCallmeshError(error).code === 'precondition_failed') return { body: '' };
  throw error;
}

/** Longest a fresh connection waits to learn what earlier lives left, milliseconds. */
const LEFT_MS = 2_000;

/** Legs of earlier lives of a node that are another's to tell of: the store has them still. Never fails. */
export async function legsLeft(store: RecoveryStore, { id, epoch }: Node): Promise<ReadonlySet<string>> {
  try {
    const kept = await withTimeout(store.list(id), LEFT_MS, 'reading what earlier lives left');
    const others = kept.filter(({ snapshot }) => snapshot.life?.epoch !== epoch);
    return new Set(others.map(({ snapshot }) => snapshot.legUuid));
  } catch {
    return new Set();
  }
}
