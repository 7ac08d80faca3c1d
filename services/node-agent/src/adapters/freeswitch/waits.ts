import { fail } from '@callmesh/runtime';
import {
  COLLECTED,
  COLLECTED_COMMAND,
  COLLECTED_DIGITS,
  COLLECTED_TERMINATOR,
} from '../../domain/commands/collect.ts';
import type { EslEvent } from '../esl/event.ts';
import type { Attendant } from './attendant.ts';

/** What was collected. */
export interface Digits {
  readonly digits: string;
  readonly terminator: string;
}

interface Waiting<T> {
  readonly leg: string;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

/** Commands whose result is an event. */
export class Waits implements Attendant {
  readonly subclasses = [COLLECTED];
  readonly #legs = new Map<string, Waiting<void>>();
  readonly #digits = new Map<string, Waiting<Digits>>();

  /** Resolves when the leg is there. */
  leg(uuid: string): Promise<void> {
    return new Promise((resolve, reject) => this.#legs.set(uuid, { leg: uuid, resolve, reject }));
  }

  /** Resolves when the digits of this command are there; rejects when the leg ends before. */
  digits(commandId: string, leg: string): Promise<Digits> {
    return new Promise((resolve, reject) => this.#digits.set(commandId, { leg, resolve, reject }));
  }

  /** Nobody waits any more. */
  forget(commandId: string, leg: string): void {
    this.#digits.delete(commandId);
    this.#legs.delete(leg);
  }

  onEvent(event: EslEvent): void {
    const uuid = event.get('Unique-ID') ?? '';
    if (event.name === 'CHANNEL_CREATE') this.#legs.get(uuid)?.resolve();
    if (event.name === 'CHANNEL_HANGUP_COMPLETE') this.#ended(uuid);
  }

  onCustom(event: EslEvent): void {
    if (event.get('Event-Subclass') !== COLLECTED) return;
    // FreeSWITCH tells of what there was, also when that is the leg's end.
    if (event.get('Answer-State') === 'hangup') {
      this.#ended(event.get('Unique-ID') ?? '');
      return;
    }
    this.#digits.get(event.get(COLLECTED_COMMAND) ?? '')?.resolve({
      digits: event.get(COLLECTED_DIGITS) ?? '',
      terminator: event.get(COLLECTED_TERMINATOR) ?? '',
    });
  }

  #ended(uuid: string): void {
    for (const { leg, reject } of this.#digits.values())
      if (leg === uuid) reject(fail('precondition_failed', 'the leg ended before the digits were there'));
  }
}
