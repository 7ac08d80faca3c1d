import type { Random } from './model.ts';
import type { NodeRow } from './node-table.ts';
import type { Strategy } from './strategies/strategy.ts';

/** Alternates an answer names beside the first choice. */
export const ALTERNATES = 3;

/**
 * Step 6, which one: the strategy's pick, then up to three alternates by the same
 * strategy, from zones not in the list yet as long as there are any: what fails
 * together should not be tried one after the other.
 */
export function choose(
  eligible: readonly NodeRow[],
  strategy: Strategy,
  key: string,
  last: string | undefined,
  random: Random,
): NodeRow[] {
  const chosen: NodeRow[] = [];
  let remaining = eligible;
  while (remaining.length > 0 && chosen.length <= ALTERNATES) {
    const elsewhere =
      chosen.length === 0 ? remaining : remaining.filter(({ zone }) => !sameZone(chosen, zone));
    const pool = elsewhere.length > 0 ? elsewhere : remaining;
    const picked = strategy.pick(pool, { key, last: chosen.at(-1)?.id ?? last, random });
    chosen.push(picked);
    remaining = remaining.filter((node) => node !== picked);
  }
  return chosen;
}

/** An unknown zone is not known to be another one. */
function sameZone(chosen: readonly NodeRow[], zone: string): boolean {
  return zone === '' || chosen.some((node) => node.zone === zone);
}
