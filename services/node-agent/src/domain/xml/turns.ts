/** How long an instance that let a question wait in vain is left alone, milliseconds. */
const LEFT_ALONE_MS = 5_000;

/** Whom to ask of several instances: in turn, and those that are silent only now and then. */
export class Turns {
  /** When those that were silent may be asked again, milliseconds. */
  readonly #silentUntil = new Map<string, number>();
  #turn = 0;

  /** Those to ask, in order, and those that are left alone for the moment. */
  order(instances: readonly string[], now: number): { ready: string[]; alone: string[] } {
    for (const known of this.#silentUntil.keys())
      if (!instances.includes(known)) this.#silentUntil.delete(known);
    this.#turn += 1;
    const first = this.#turn % Math.max(1, instances.length);
    const turned = [...instances.slice(first), ...instances.slice(0, first)];
    const isAlone = (instance: string) => (this.#silentUntil.get(instance) ?? 0) > now;
    return { ready: turned.filter((one) => !isAlone(one)), alone: turned.filter(isAlone) };
  }

  /** It is asked now: of one that was silent nobody else asks anything until it is known to be well. */
  asks(instance: string, now: number): void {
    if (this.#silentUntil.has(instance)) this.silent(instance, now);
  }

  answered(instance: string): void {
    this.#silentUntil.delete(instance);
  }

  silent(instance: string, now: number): void {
    this.#silentUntil.set(instance, now + LEFT_ALONE_MS);
  }
}
