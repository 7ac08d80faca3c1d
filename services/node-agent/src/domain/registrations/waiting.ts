import { type Device, keyOf } from './device.ts';

/** Something session-cache is to be told. */
export type Tidings =
  | { readonly what: 'device'; readonly device: Device }
  /** Every contact of this address of record is gone. */
  | { readonly what: 'all gone'; readonly aor: string };

/**
 * What session-cache does not know yet: of each contact the last state only, of each
 * address of record in order. Bounded: who waits longest goes, and a comparison finds it again.
 */
export class Waiting {
  /** Tidings by address of record, then by what they are about. */
  readonly #aors = new Map<string, Map<string, Tidings>>();
  readonly #most: number;
  #size = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#size;
  }

  /** Addresses of record somebody is to be told of, who waits longest first. */
  aors(): string[] {
    return [...this.#aors.keys()];
  }

  /** What is to be told next of an address of record. */
  next(aor: string): Tidings | undefined {
    return this.#aors.get(aor)?.values().next().value;
  }

  add(tidings: Tidings): void {
    const { aor, about } = subjectOf(tidings);
    // Whatever was to be said of contacts that are all gone is void.
    if (tidings.what === 'all gone') this.#dropAll(aor);
    const queue = this.#aors.get(aor) ?? new Map<string, Tidings>();
    this.#aors.set(aor, queue);
    // A later change of a contact is told in the place of the later one.
    if (queue.delete(about)) this.#size -= 1;
    queue.set(about, tidings);
    this.#size += 1;
    if (this.#size > this.#most) this.#dropAll(this.#aors.keys().next().value!);
  }

  /** They were told; what came since stays. */
  remove(tidings: Tidings): void {
    const { aor, about } = subjectOf(tidings);
    const queue = this.#aors.get(aor);
    if (queue?.get(about) !== tidings) return;
    queue.delete(about);
    this.#size -= 1;
    if (queue.size === 0) this.#aors.delete(aor);
  }

  #dropAll(aor: string): void {
    this.#size -= this.#aors.get(aor)?.size ?? 0;
    this.#aors.delete(aor);
  }
}

function subjectOf(tidings: Tidings): { aor: string; about: string } {
  return tidings.what === 'device'
    ? { aor: tidings.device.aor, about: keyOf(tidings.device) }
    : { aor: tidings.aor, about: '*' };
}
