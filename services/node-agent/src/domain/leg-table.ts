import type { Fields } from './fields.ts';
import { claim, type Leg, legOf } from './leg.ts';
import { changes, hold, type LegEvent, refreshed, soFar } from './leg-events.ts';

export type { LegEvent } from './leg-events.ts';

/** Events a leg's first node may have told after its snapshot was taken. */
const INHERITED_ORDINAL = 1_000;
/** How long an ended leg is remembered, milliseconds: a list read meanwhile may still show it. */
const ENDED_MS = 30_000;

/**
 * The live legs of one life of FreeSWITCH, kept from its events. A channel counts
 * from CHANNEL_CREATE to CHANNEL_DESTROY, which is what FreeSWITCH's own
 * Session-Count does.
 */
export class LegTable {
  readonly #legs = new Map<string, Leg>();
  readonly #legsOfSession = new Map<string, number>();
  readonly #ended = new Map<string, number>();
  /** Legs of which events may have been missed; true: also that they began is to be told again. */
  readonly #doubted = new Map<string, boolean>();
  #started: string[] = [];
  #created = 0;

  /** Live channels. */
  get size(): number {
    return this.#legs.size;
  }

  /** Legs that were ever created in this life; grows by one each. */
  get created(): number {
    return this.#created;
  }

  get(uuid: string): Leg | undefined {
    return this.#legs.get(uuid);
  }

  legs(): Leg[] {
    return [...this.#legs.values()];
  }

  /** Session ids whose first leg appeared since this was last called. */
  takeStarted(): string[] {
    const started = this.#started;
    this.#started = [];
    return started;
  }

  /** Puts back what could not be told. */
  returnStarted(started: readonly string[]): void {
    this.#started = [...started, ...this.#started];
  }

  /** Forgets everything: FreeSWITCH began another life. */
  clear(): void {
    this.#legs.clear();
    this.#legsOfSession.clear();
    this.#ended.clear();
    this.#doubted.clear();
    this.#started = [];
    this.#created = 0;
  }

  /** Legs an earlier agent knew: they are live until somebody says otherwise. */
  recall(legs: readonly Leg[]): void {
    for (const leg of legs) {
      this.#legs.set(leg.uuid, { ...leg, knownSince: 0 });
      this.#count(leg);
      this.#doubted.set(leg.uuid, true);
    }
  }

  /** Legs of another node that go on here, as its agent knew them: what they are told of later comes after what it told. */
  inherit(legs: readonly Leg[]): void {
    for (const leg of legs) {
      if (this.#legs.has(leg.uuid)) continue;
      this.#ended.delete(leg.uuid);
      this.#legs.set(leg.uuid, { ...leg, knownSince: 0, ordinal: leg.ordinal + INHERITED_ORDINAL });
      this.#count(leg);
    }
  }

  /** An inherited leg is here: told once it is certain. */
  moved(uuid: string): LegEvent[] {
    const leg = this.#legs.get(uuid);
    return leg && !leg.hungUp ? this.#told([{ event: 'moved', leg }]) : [];
  }

  /** Events may have been missed: each leg is to be asked about. */
  doubt(): void {
    for (const uuid of this.#legs.keys()) this.#doubted.set(uuid, this.#doubted.get(uuid) ?? false);
  }

  /** Whether a leg's own data are to be asked for. */
  isKnown(uuid: string): boolean {
    return this.#legs.has(uuid) && !this.#doubted.has(uuid);
  }

  /** Takes an event; returns what the mesh is to be told, in order. */
  apply(fields: Fields, now: number): LegEvent[] {
    if (fields.name === 'CHANNEL_UUID') this.#rename(fields);
    if (fields.name === 'CHANNEL_CREATE') return this.add(fields, now);
    const leg = this.#legs.get(fields.get('Unique-ID') ?? '');
    if (!leg) return [];
    leg.callId ||= fields.variable('sip_call_id') ?? '';
    if (claim(leg, fields)) this.#count(leg);
    if (fields.name === 'CHANNEL_HANGUP_COMPLETE') return this.#hangup(leg);
    if (fields.name === 'CHANNEL_DESTROY') return this.remove(leg.uuid, now);
    return this.#told(changes(leg, fields, (uuid) => this.#legs.get(uuid), now));
  }

  /** A leg that appeared, by its event or because a list showed it. */
  add(fields: Fields, now: number): LegEvent[] {
    const leg = legOf(fields, (uuid) => this.#legs.get(uuid), now);
    const known = this.#legs.get(leg.uuid);
    if (known) return this.#refresh(known, leg);
    if (!leg.uuid || this.#ended.has(leg.uuid)) return [];
    this.#legs.set(leg.uuid, leg);
    this.#created += 1;
    this.#count(leg);
    // A leg that was found did more than appear before anybody looked.
    const since = fields.name === 'CHANNEL_CREATE' ? [] : soFar(leg);
    return this.#told([{ event: 'created', leg }, ...since]);
  }

  /** A leg that is gone; its hangup, if that was not told yet. */
  remove(uuid: string, now: number): LegEvent[] {
    this.#forgetEnded(now);
    this.#ended.set(uuid, now);
    const leg = this.#legs.get(uuid);
    if (!leg) return [];
    this.#legs.delete(uuid);
    this.#doubted.delete(uuid);
    const left = (this.#legsOfSession.get(leg.sessionId) ?? 1) - 1;
    if (left > 0) this.#legsOfSession.set(leg.sessionId, left);
    else this.#legsOfSession.delete(leg.sessionId);
    return this.#hangup(leg);
  }

  /** The far end was put on hold by command, or taken back: FreeSWITCH has no event for that. */
  hold(uuid: string, on: boolean): LegEvent[] {
    const leg = this.#legs.get(uuid);
    return leg && !leg.hungUp ? this.#told(hold(leg, on ? 'near' : '')) : [];
  }

  /** Whether a leg ended a short while ago, so that a list that shows it is old. */
  endedLately(uuid: string): boolean {
    return this.#ended.has(uuid);
  }

  #refresh(known: Leg, found: Leg): LegEvent[] {
    const retell = this.#doubted.get(known.uuid);
    if (retell === undefined) return [];
    this.#doubted.delete(known.uuid);
    const missed = refreshed(known, found);
    return this.#told(retell ? [{ event: 'created', leg: known }, ...missed] : missed);
  }

  #hangup(leg: Leg): LegEvent[] {
    if (leg.hungUp) return [];
    leg.hungUp = true;
    return this.#told([{ event: 'hangup', leg }]);
  }

  /** Numbers the events of each leg. */
  #told(events: LegEvent[]): LegEvent[] {
    for (const { leg } of events) leg.ordinal += 1;
    return events;
  }

  #count({ sessionId }: Leg): void {
    if (sessionId === '') return;
    const legs = this.#legsOfSession.get(sessionId) ?? 0;
    if (legs === 0) this.#started.push(sessionId);
    this.#legsOfSession.set(sessionId, legs + 1);
  }

  #rename(fields: Fields): void {
    const leg = this.#legs.get(fields.get('Old-Unique-ID') ?? '');
    const uuid = fields.get('Unique-ID');
    if (!leg || !uuid || leg.uuid === uuid) return;
    this.#legs.delete(leg.uuid);
    this.#legs.set(uuid, { ...leg, uuid });
  }

  #forgetEnded(now: number): void {
    for (const [uuid, at] of this.#ended) {
      if (now - at < ENDED_MS) return;
      this.#ended.delete(uuid);
    }
  }
}
