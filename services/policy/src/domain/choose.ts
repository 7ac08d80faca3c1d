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
  let pool = eligible;
  while (pool.length > 0 && chosen.length <= ALTERNATES) {
    chosen.push(strategy.pick(pool, { key, last: chosen.at(-1)?.id ?? last, random }));
    pool = nextPool(eligible, chosen);
  }
  return chosen;
}

/** What is left in zones not in the list yet; when there is nothing, what is left at all. An unknown zone is not known to be another one. */
function nextPool(eligible: readonly NodeRow[], chosen: readonly NodeRow[]): NodeRow[] {
  const elsewhere: NodeRow[] = [];
  const left: NodeRow[] = [];
  for (const node of eligible) {
    if (chosen.includes(node)) continue;
    if (node.zone !== '' && !hasZone(chosen, node.zone)) elsewhere.push(node);
    else if (elsewhere.length === 0) left.push(node);
  }
  return elsewhere.length > 0 ? elsewhere : left;
}

function hasZone(nodes: readonly NodeRow[], zone: string): boolean {
  for (const node of nodes) if (node.zone === zone) return true;
  return false;
}
