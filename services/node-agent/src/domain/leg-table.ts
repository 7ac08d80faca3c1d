import type { Fields } from './fields.ts';
import { type Leg, legOf } from './leg.ts';

/** What happened to a leg: the last token of the call event's subject. */
export type LegEventName = 'created' | 'ringing' | 'answered' | 'bridged' | 'held' | 'dtmf' | 'hangup';

/** Something the mesh is told of. */
export interface LegEvent {
  readonly event: LegEventName;
  readonly leg: Leg;
}

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
    this.#started = [];
    this.#created = 0;
  }

  /** Takes a channel event; returns what the mesh is to be told, if anything. */
  apply(fields: Fields, now: number): LegEvent | undefined {
    if (fields.name === 'CHANNEL_UUID') this.#rename(fields);
    if (fields.name === 'CHANNEL_CREATE') return this.add(fields, now);
    const leg = this.#legs.get(fields.get('Unique-ID') ?? '');
    if (!leg) return undefined;
    leg.callId ||= fields.variable('sip_call_id') ?? '';
    return this.#change(leg, fields.name, now);
  }

  /** A leg that appeared, by its event or because a list showed it. */
  add(fields: Fields, now: number): LegEvent | undefined {
    const leg = legOf(fields, (uuid) => this.#legs.get(uuid), now);
    if (!leg.uuid || this.#legs.has(leg.uuid) || this.#ended.has(leg.uuid)) return undefined;
    this.#legs.set(leg.uuid, leg);
    this.#created += 1;
    if (leg.sessionId) {
      const legs = this.#legsOfSession.get(leg.sessionId) ?? 0;
      if (legs === 0) this.#started.push(leg.sessionId);
      this.#legsOfSession.set(leg.sessionId, legs + 1);
    }
    return { event: 'created', leg };
  }

  /** A leg that is gone; its hangup, if that was not told yet. */
  remove(uuid: string, now: number): LegEvent | undefined {
    this.#forgetEnded(now);
    this.#ended.set(uuid, now);
    const leg = this.#legs.get(uuid);
    if (!leg) return undefined;
    this.#legs.delete(uuid);
    const left = (this.#legsOfSession.get(leg.sessionId) ?? 1) - 1;
    if (left > 0) this.#legsOfSession.set(leg.sessionId, left);
    else this.#legsOfSession.delete(leg.sessionId);
    return this.#once(leg, 'hungUp', 'hangup');
  }

  /** Whether a leg ended a short while ago, so that a list that shows it is old. */
  endedLately(uuid: string): boolean {
    return this.#ended.has(uuid);
  }

  #change(leg: Leg, name: string, now: number): LegEvent | undefined {
    switch (name) {
      case 'CHANNEL_PROGRESS':
      case 'CHANNEL_PROGRESS_MEDIA':
        return this.#once(leg, 'rang', 'ringing');
      case 'CHANNEL_ANSWER':
        return { event: 'answered', leg };
      case 'CHANNEL_BRIDGE':
        return { event: 'bridged', leg };
      case 'CHANNEL_HOLD':
        return { event: 'held', leg };
      case 'DTMF':
        return { event: 'dtmf', leg };
      case 'CHANNEL_HANGUP_COMPLETE':
        return this.#once(leg, 'hungUp', 'hangup');
      case 'CHANNEL_DESTROY':
        return this.remove(leg.uuid, now);
      default:
        return undefined;
    }
  }

  #once(leg: Leg, told: 'rang' | 'hungUp', event: LegEventName): LegEvent | undefined {
    if (leg[told]) return undefined;
    leg[told] = true;
    return { event, leg };
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
